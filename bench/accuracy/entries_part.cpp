// The manuscript's experiment: one 3x3 convolution of 3 to 3 channels, the loss
// half the mean-square distance of its output to other images, and all entries of
// the filter gradient.
#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "estimator.hpp"
#include "images.hpp"
#include "parts.hpp"
#include "schemes.hpp"
#include "statistics.hpp"

namespace study {
namespace {

constexpr int64_t kChannels = 3;
constexpr int64_t kKernel = 3;

struct Problem {
    xconv::Conv geometry;
    std::vector<float> x;
    std::vector<float> dy;
};

Problem make_problem(const Settings &settings)
{
    if (settings.input != "images" && settings.input != "normal")
        throw std::invalid_argument("--input is images or normal");
    const demo::Dataset data = demo::load_dataset(settings.data, settings.train_limit, 1);
    const auto size = static_cast<int64_t>(data.train.height);
    const auto planes = static_cast<size_t>(settings.batch * kChannels);
    Problem problem{xconv::Conv()
                        .batch(settings.batch)
                        .channels(kChannels, kChannels)
                        .in_size({size, size})
                        .kernel(kKernel)
                        .padding(kKernel / 2),
                    {},
                    {}};
    const auto side = static_cast<size_t>(size);
    problem.x = settings.input == "images" ? mosaics(data.train, planes, side, settings.seed)
                                           : normal_numbers(planes * side * side, settings.seed);
    const auto target = mosaics(data.train, planes, side, demo::mix(settings.seed));
    const auto w = glorot_weights(kChannels, kChannels, kKernel * kKernel, settings.seed);
    problem.dy.resize(target.size());
    Estimator(xconv::Context(settings.threads), problem.geometry)
        .forward(problem.x.data(), w.data(), problem.dy.data());
    for (size_t i = 0; i < target.size(); ++i)
        problem.dy[i] = (problem.dy[i] - target[i]) / static_cast<float>(settings.batch);
    return problem;
}

/// The value that a share of the sorted ones lie below.
float quantile(const std::vector<float> &sorted, double share)
{
    const double place = share * static_cast<double>(sorted.size() - 1);
    return sorted[static_cast<size_t>(std::lround(place))];
}

void print_scheme(const Settings &settings, const std::string &scheme, const Problem &problem)
{
    const xconv::Context context(settings.threads);
    const std::vector<float> exact =
        Estimator(context, problem.geometry).exact(problem.x.data(), problem.dy.data());
    Estimator estimator(context, problem.geometry, parse_scheme(scheme).sketch);
    std::vector<std::vector<float>> values(exact.size());
    Moments moments;
    for (int64_t draw = 0; draw < settings.draws; ++draw) {
        const auto &dw =
            estimator.draw(problem.x.data(), problem.dy.data(), static_cast<uint64_t>(draw));
        moments.add(dw);
        for (size_t entry = 0; entry < dw.size(); ++entry)
            values[entry].push_back(dw[entry]);
    }
    for (size_t entry = 0; entry < exact.size(); ++entry) {
        const float sample = values[entry][0];
        std::sort(values[entry].begin(), values[entry].end());
        fmt::print("{},{},{},{},{},{:.4g},{:.4g},{:.4g},{:.4g},{:.4g},{:.4g}\n", settings.input,
                   settings.batch, scheme, settings.draws, entry, exact[entry],
                   moments.mean()[entry], std::sqrt(moments.variance(entry)), sample,
                   quantile(values[entry], 0.025), quantile(values[entry], 0.975));
    }
}

} // namespace

void measure_entries(const Settings &settings)
{
    const Problem problem = make_problem(settings);
    fmt::print("input,batch,scheme,draws,entry,exact,mean,std,sample,low,high\n");
    for (const std::string &scheme : settings.schemes)
        print_scheme(settings, scheme, problem);
}

} // namespace study
