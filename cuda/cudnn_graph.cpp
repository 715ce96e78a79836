#include "cuda/cudnn_graph.hpp"

#include <algorithm>
#include <optional>

#include "cuda/cudnn_operations.hpp"

namespace xconv::cuda::cudnn {

namespace {

// Newer versions can also plan for a device described in words, and call plans
// made with a handle deprecated; older ones know only handles.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
constexpr cudnnBackendAttributeName_t kPlanHandle = CUDNN_ATTR_EXECUTION_PLAN_HANDLE;
#pragma GCC diagnostic pop
// As numbers, for the headers of older versions.
constexpr auto kHeuristicDevice = static_cast<cudnnBackendAttributeName_t>(204);
constexpr auto kPlanDevice = static_cast<cudnnBackendAttributeName_t>(407);
constexpr auto kDeviceText = static_cast<cudnnBackendAttributeName_t>(2702);
constexpr auto kDevice = static_cast<cudnnBackendDescriptorType_t>(38);

/// cuDNN's suggestions, best first; none where the mode knows none.
std::vector<Descriptor> suggestions(const Handle &handle, const Descriptor &graph,
                                    cudnnBackendHeurMode_t mode)
{
    Descriptor heuristic(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    heuristic.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph)
        .set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, mode);
    if (handle.described() != nullptr) {
        heuristic.set(kHeuristicDevice, *handle.described());
    }
    if (!heuristic.finalizes()) {
        return {};
    }
    int64_t count = 0;
    check(cudnnBackendGetAttribute(heuristic.get(), CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                   CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &count, nullptr),
          "cudnnBackendGetAttribute");
    std::vector<Descriptor> results;
    std::vector<cudnnBackendDescriptor_t> raw;
    for (int64_t i = 0; i < count; ++i) {
        results.emplace_back(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
        raw.push_back(results.back().get());
    }
    check(cudnnBackendGetAttribute(heuristic.get(), CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                   CUDNN_TYPE_BACKEND_DESCRIPTOR, count, &count, raw.data()),
          "cudnnBackendGetAttribute");
    results.erase(results.begin() + count, results.end());
    return results;
}

/// What cuDNN says about the engine of a suggestion.
struct Engine {
    int64_t index = -1;
    std::vector<cudnnBackendNumericalNote_t> notes;
    std::vector<cudnnBackendBehaviorNote_t> behaviour;
    [[nodiscard]] bool has(cudnnBackendNumericalNote_t note) const
    {
        return std::find(notes.begin(), notes.end(), note) != notes.end();
    }
};

Engine engine_of(const Descriptor &suggestion)
{
    const Descriptor engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    cudnnBackendDescriptor_t raw = engine.get();
    int64_t count = 0;
    check(cudnnBackendGetAttribute(suggestion.get(), CUDNN_ATTR_ENGINECFG_ENGINE,
                                   CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &raw),
          "cudnnBackendGetAttribute");
    Engine result;
    check(cudnnBackendGetAttribute(raw, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &count,
                                   &result.index),
          "cudnnBackendGetAttribute");
    result.notes.resize(CUDNN_NUMERICAL_NOTE_TYPE_COUNT);
    check(cudnnBackendGetAttribute(raw, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                                   CUDNN_NUMERICAL_NOTE_TYPE_COUNT, &count, result.notes.data()),
          "cudnnBackendGetAttribute");
    result.notes.resize(static_cast<std::size_t>(count));
    result.behaviour.resize(CUDNN_BEHAVIOR_NOTE_TYPE_COUNT);
    check(cudnnBackendGetAttribute(raw, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE,
                                   CUDNN_BEHAVIOR_NOTE_TYPE_COUNT, &count, result.behaviour.data()),
          "cudnnBackendGetAttribute");
    result.behaviour.resize(static_cast<std::size_t>(count));
    return result;
}

bool will_do(const Engine &engine, Dtype dtype, const Wanted &wanted)
{
    // Matrix units read Float32 as TF32.
    if (dtype == Dtype::f32 && !wanted.allow_tf32 &&
        (engine.has(CUDNN_NUMERICAL_NOTE_TENSOR_CORE) ||
         engine.has(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS))) {
        return false;
    }
    if (wanted.allow_any) {
        return true;
    }
    const bool compiled_late =
        std::find(engine.behaviour.begin(), engine.behaviour.end(),
                  CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION) != engine.behaviour.end();
    return !compiled_late && std::none_of(engine.notes.begin(), engine.notes.end(), [](auto note) {
        return note == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC ||
               note == CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION ||
               (note >= CUDNN_NUMERICAL_NOTE_WINOGRAD &&
                note <= CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13) ||
               note == CUDNN_NUMERICAL_NOTE_FFT;
    });
}

/// The plan of a suggestion, and its workspace; none where it cannot be had.
std::optional<std::pair<Descriptor, int64_t>> make_plan(const Handle &handle,
                                                        const Descriptor &suggestion)
{
    Descriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, suggestion);
    if (handle.described() != nullptr) {
        plan.set(kPlanDevice, *handle.described());
    }
    else {
        plan.set(kPlanHandle, CUDNN_TYPE_HANDLE, handle.get());
    }
    if (!plan.finalizes()) {
        return std::nullopt;
    }
    int64_t bytes = 0;
    int64_t count = 0;
    check(cudnnBackendGetAttribute(plan.get(), CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                   CUDNN_TYPE_INT64, 1, &count, &bytes),
          "cudnnBackendGetAttribute");
    return std::pair{std::move(plan), bytes};
}

} // namespace

void check(cudnnStatus_t result, const char *what)
{
    if (result != CUDNN_STATUS_SUCCESS) {
        const xconv_status status =
            result == CUDNN_STATUS_ALLOC_FAILED ? XCONV_OUT_OF_MEMORY : XCONV_DEVICE_ERROR;
        fail(status, "{}: {}", what, cudnnGetErrorString(result));
    }
}

Handle::Handle(Stream stream)
{
    check(cudnnCreate(&handle_), "cudnnCreate");
    const cudnnStatus_t result = cudnnSetStream(handle_, stream);
    if (result != CUDNN_STATUS_SUCCESS) {
        static_cast<void>(cudnnDestroy(handle_));
        check(result, "cudnnSetStream");
    }
}

Handle::Handle(const std::string &device) : described_(std::make_unique<Descriptor>(kDevice))
{
    check(cudnnBackendSetAttribute(described_->get(), kDeviceText, CUDNN_TYPE_CHAR,
                                   static_cast<int64_t>(device.size() + 1), device.c_str()),
          "cudnnBackendSetAttribute");
    described_->finalize();
}

Handle::~Handle()
{
    if (handle_ != nullptr) {
        static_cast<void>(cudnnDestroy(handle_));
    }
}

Descriptor::Descriptor(cudnnBackendDescriptorType_t type)
{
    cudnnBackendDescriptor_t raw = nullptr;
    check(cudnnBackendCreateDescriptor(type, &raw), "cudnnBackendCreateDescriptor");
    descriptor_.reset(raw);
}

Descriptor &Descriptor::finalize()
{
    check(cudnnBackendFinalize(get()), "cudnnBackendFinalize");
    return *this;
}

std::unique_ptr<Convolution> Convolution::make(std::shared_ptr<const Handle> handle,
                                               const ConvGeometry &g, Direction direction,
                                               Dtype result, const Wanted &wanted)
{
    std::deque<Descriptor> parts;
    std::optional<Descriptor> graph;
    try {
        graph = make_graph(*handle, g, direction, result, parts);
    }
    catch (const Error &error) {
        if (error.status() == XCONV_OUT_OF_MEMORY) {
            throw;
        }
        return nullptr; // a geometry that cuDNN cannot even put in words
    }
    for (const auto mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
        for (const Descriptor &suggestion : suggestions(*handle, *graph, mode)) {
            const Engine engine = engine_of(suggestion);
            if (!will_do(engine, g.dtype, wanted)) {
                continue;
            }
            auto plan = make_plan(*handle, suggestion);
            if (plan && plan->second > wanted.workspace_limit && wanted.only_best) {
                return nullptr;
            }
            if (plan && plan->second <= wanted.workspace_limit) {
                std::unique_ptr<Convolution> made(
                    new Convolution(std::move(handle), std::move(plan->first)));
                made->workspace_ = plan->second;
                made->name_ = fmt::format("cuDNN engine {}", engine.index);
                return made;
            }
        }
    }
    return nullptr;
}

void Convolution::run(const Handle &handle, const void *x, const void *w, const void *bias,
                      const void *y, void *workspace) const
{
    std::vector<int64_t> names{kX, kW, kY};
    std::vector<const void *> tensors{x, w, y};
    if (bias != nullptr) {
        names.push_back(kBias);
        tensors.push_back(bias);
    }
    Descriptor arguments(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    arguments.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, names)
        .set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, tensors)
        .set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, workspace)
        .finalize();
    check(cudnnBackendExecute(handle.get(), plan_.get(), arguments.get()), "cudnnBackendExecute");
}

std::string describe_library()
{
    const size_t version = cudnnGetVersion();
    return fmt::format("cuDNN {}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

} // namespace xconv::cuda::cudnn
