#include <cmath>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "capture.hpp"
#include "estimator.hpp"
#include "parts.hpp"
#include "random.hpp"
#include "schemes.hpp"
#include "statistics.hpp"

namespace study {
namespace {

struct Contender {
    std::string name;
    Estimator estimator;
    Moments moments;
};

double root_mean(double sum, size_t count) { return std::sqrt(sum / static_cast<double>(count)); }

} // namespace

void measure_spread(const Settings &settings)
{
    Capture capture(settings);
    const xconv::Context context(settings.threads);
    std::vector<std::vector<Contender>> layers(capture.layers().size());
    for (size_t i = 0; i < layers.size(); ++i)
        for (const std::string &text : settings.schemes)
            layers[i].push_back(
                {text,
                 Estimator(context, capture.layers()[i].geometry, parse_scheme(text).sketch),
                 {}});
    for (size_t batch = 0; batch < settings.batches; ++batch)
        capture.next_batch([&](const Seen &seen) {
            for (Contender &contender : layers[seen.layer])
                contender.moments.add(contender.estimator.draw(
                    seen.x, seen.dy, demo::combine({settings.seed, batch})));
        });

    fmt::print("network,epochs,layer,batch,scheme,kept_bytes,batches,std,mean\n");
    for (size_t i = 0; i < layers.size(); ++i)
        for (const Contender &contender : layers[i]) {
            const auto &mean = contender.moments.mean();
            double squares = 0;
            for (const double value : mean)
                squares += value * value;
            fmt::print("{},{},{},{},{},{},{},{:.5g},{:.5g}\n", settings.network, settings.epochs,
                       capture.layers()[i].name, settings.batch, contender.name,
                       contender.estimator.kept_bytes(), settings.batches,
                       root_mean(contender.moments.total_variance(), mean.size()),
                       root_mean(squares, mean.size()));
        }
}

} // namespace study
