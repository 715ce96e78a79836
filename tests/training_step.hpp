// One step of training on raw buffers, free of assertions, so that it may run on
// any thread.
#pragma once

#include <cmath>
#include <vector>

#include "oracle.hpp"
#include "support.hpp"

namespace training {

template <class T> struct Inputs {
    explicit Inputs(const oracle::Conv &conv)
    {
        support::Random random(12);
        const auto rough = [&](int64_t count) {
            std::vector<T> values(static_cast<size_t>(count));
            for (T &value : values) {
                value = static_cast<T>(std::sin(100 * random.value()));
            }
            return values;
        };
        x = rough(conv.x_count());
        w = rough(conv.w_count());
        bias = rough(conv.out_channels);
        dy = rough(conv.y_count());
    }
    std::vector<T> x;
    std::vector<T> w;
    std::vector<T> bias;
    std::vector<T> dy;
};

template <class T> struct Outputs {
    xconv_status status = XCONV_INTERNAL; // of the first call that failed
    std::vector<T> y;
    support::Bytes sketch;
    std::vector<T> dw;
    std::vector<T> dw_exact;
    std::vector<T> dx;
    std::vector<T> db;

    bool operator==(const Outputs &other) const
    {
        return status == other.status && support::same_bits(y, other.y) && sketch == other.sketch &&
               support::same_bits(dw, other.dw) && support::same_bits(dw_exact, other.dw_exact) &&
               support::same_bits(dx, other.dx) && support::same_bits(db, other.db);
    }
};

inline int64_t quiet_query(const support::Plan &plan, xconv_query what)
{
    int64_t value = 0;
    return xconv_plan_query(plan.get(), what, &value) == XCONV_SUCCESS ? value : 0;
}

template <class T>
Outputs<T> run_step(const support::Context &context, const support::Plan &plan,
                    const oracle::Conv &conv, const Inputs<T> &in, uint64_t seed)
{
    Outputs<T> out;
    out.y.resize(static_cast<size_t>(conv.y_count()));
    out.sketch.resize(static_cast<size_t>(quiet_query(plan, XCONV_QUERY_SKETCH_BYTES)));
    out.dw.resize(static_cast<size_t>(conv.w_count()));
    out.dw_exact.resize(out.dw.size());
    out.dx.resize(static_cast<size_t>(conv.x_count()));
    out.db.resize(static_cast<size_t>(conv.out_channels));
    support::Bytes scratch(static_cast<size_t>(quiet_query(plan, XCONV_QUERY_WORKSPACE_MAX)));

    const xconv_status statuses[] = {
        xconv_forward(context.get(), plan.get(), in.x.data(), in.w.data(), in.bias.data(),
                      out.y.data(), seed, out.sketch.data(), out.sketch.size(), scratch.data(),
                      scratch.size()),
        xconv_sketch(context.get(), plan.get(), in.x.data(), seed, out.sketch.data(),
                     out.sketch.size(), scratch.data(), scratch.size()),
        xconv_backward_filter(context.get(), plan.get(), out.sketch.data(), out.sketch.size(), seed,
                              in.dy.data(), 0, out.dw.data(), scratch.data(), scratch.size()),
        xconv_backward_filter_exact(context.get(), plan.get(), in.x.data(), in.dy.data(), 0,
                                    out.dw_exact.data(), scratch.data(), scratch.size()),
        xconv_backward_data(context.get(), plan.get(), in.w.data(), in.dy.data(), out.dx.data(),
                            scratch.data(), scratch.size()),
        xconv_backward_bias(context.get(), plan.get(), in.dy.data(), 0, out.db.data())};
    out.status = XCONV_SUCCESS;
    for (const xconv_status status : statuses) {
        out.status = out.status == XCONV_SUCCESS ? status : out.status;
    }
    return out;
}

} // namespace training
