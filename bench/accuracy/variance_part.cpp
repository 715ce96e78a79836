#include <string>
#include <vector>

#include <fmt/format.h>

#include "capture.hpp"
#include "circular.hpp"
#include "estimator.hpp"
#include "parts.hpp"
#include "random.hpp"
#include "schemes.hpp"
#include "statistics.hpp"

namespace study {
namespace {

/// Enough for the noise of a mini-batch within some 5 %.
constexpr size_t kNoiseBatches = 64;

struct Contender {
    std::string name;
    Estimator estimator;
    Errors errors;
};

/// What is measured on one layer.
struct Layer {
    std::vector<Contender> contenders;
    Errors circular;   // of the circular estimator's expectation
    Moments gradients; // exact ones of many mini-batches
    double squares = 0;
};

void print_row(const Settings &settings, const std::string &layer, const std::string &scheme,
               size_t x_bytes, size_t kept_bytes, double variance, const std::string &rest)
{
    fmt::print("{},{},{},{},{},{},{},{:.5g},{}\n", settings.network, settings.epochs, layer,
               settings.batch, scheme, x_bytes, kept_bytes, variance, rest);
}

void print_rows(const Settings &settings, const std::string &name, const Layer &layer)
{
    size_t x_bytes = 0;
    for (const Contender &contender : layer.contenders) {
        x_bytes = contender.estimator.plan().x_count() * sizeof(float);
        print_row(settings, name, contender.name, x_bytes, contender.estimator.kept_bytes(),
                  contender.errors.relative_variance(),
                  fmt::format("{:.3g},{:.3g}", contender.errors.standard_error(),
                              contender.errors.bias_ratio()));
    }
    // Two yardsticks in the column of the variance: what sampling a mini-batch adds
    // anyway, and the squared bias of circular shifts.
    const double noise = layer.gradients.total_variance() *
                         static_cast<double>(layer.gradients.count()) / layer.squares;
    print_row(settings, name, "mini-batch", x_bytes, x_bytes, noise, ",");
    print_row(settings, name, "circular-bias", x_bytes, 0, layer.circular.relative_variance(), ",");
}

} // namespace

void measure_variance(const Settings &settings)
{
    Capture capture(settings);
    const xconv::Context context(settings.threads);
    std::vector<Layer> layers(capture.layers().size());
    for (size_t i = 0; i < layers.size(); ++i)
        for (const std::string &text : settings.schemes)
            layers[i].contenders.push_back(
                {text,
                 Estimator(context, capture.layers()[i].geometry, parse_scheme(text).sketch),
                 {}});

    for (size_t batch = 0; batch < kNoiseBatches; ++batch)
        capture.next_batch([&](const Seen &seen) {
            Layer &layer = layers[seen.layer];
            layer.gradients.add(seen.dw);
            layer.squares += squared_norm(seen.dw);
            if (batch >= settings.batches)
                return;
            layer.circular.add(
                circular_filter_gradient(capture.layers()[seen.layer].shape, seen.x, seen.dy),
                seen.dw);
            for (Contender &contender : layer.contenders) {
                for (int64_t draw = 0; draw < settings.draws; ++draw) {
                    const uint64_t seed =
                        demo::combine({settings.seed, batch, static_cast<uint64_t>(draw)});
                    contender.errors.add(contender.estimator.draw(seen.x, seen.dy, seed), seen.dw);
                }
                contender.errors.next_gradient();
            }
        });

    fmt::print("network,epochs,layer,batch,scheme,x_bytes,kept_bytes,relative_variance,"
               "standard_error,bias_ratio\n");
    for (size_t i = 0; i < layers.size(); ++i)
        print_rows(settings, capture.layers()[i].name, layers[i]);
}

} // namespace study
