#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "parts.hpp"
#include "schemes.hpp"
#include "training.hpp"

namespace study {
void measure_training(const Settings &settings)
{
    const demo::Dataset data =
        demo::load_dataset(settings.data, settings.train_limit, settings.test_limit);
    demo::TrainingOptions options;
    options.epochs = settings.epochs;
    options.batch = static_cast<size_t>(settings.batch);
    options.seed = settings.seed;
    options.threads = settings.threads;
    options.accuracy_epochs = std::max(settings.epochs / 4, size_t{1});
    fmt::print("scheme,batch,epochs,seed,conv_input_bytes,conv_held_bytes,compression,"
               "test_accuracy,final_accuracy,final_loss,step_ms\n");
    for (const std::string &scheme : settings.schemes) {
        const demo::Outcome outcome = demo::Trainer(data, parse_scheme(scheme), options).run();
        fmt::print("{},{},{},{},{},{},{:.5g},{:.5f},{:.5f},{:.5g},{:.4g}\n", scheme, options.batch,
                   options.epochs, options.seed, outcome.conv_input_bytes, outcome.conv_held_bytes,
                   static_cast<double>(outcome.conv_input_bytes) /
                       static_cast<double>(outcome.conv_held_bytes),
                   outcome.test_accuracy, outcome.final_accuracy, outcome.final_loss,
                   outcome.step_ms);
    }
}

} // namespace study
