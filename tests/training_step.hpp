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

/// The calls, on the device under test; the status of the first that failed.
template <class T>
xconv_status run_calls(const support::Context &context, const support::Plan &plan,
                       const Inputs<T> &in, uint64_t seed, Outputs<T> &out, support::Bytes &bytes)
{
    using support::InPlace;
    const support::OnDevice<T> x(in.x), w(in.w), bias(in.bias), dy(in.dy);
    const InPlace<T> y(out.y), dw(out.dw), dw_exact(out.dw_exact), dx(out.dx), db(out.db);
    const InPlace<unsigned char> sketch(out.sketch), scratch(bytes);
    const size_t kept = out.sketch.size();
    const size_t size = bytes.size();
    const xconv_status statuses[] = {
        xconv_forward(context.get(), plan.get(), x.data(), w.data(), bias.data(), y.data(), seed,
                      sketch.data(), kept, scratch.data(), size),
        xconv_sketch(context.get(), plan.get(), x.data(), seed, sketch.data(), kept, scratch.data(),
                     size),
        xconv_backward_filter(context.get(), plan.get(), sketch.data(), kept, seed, dy.data(), 0,
                              dw.data(), scratch.data(), size),
        xconv_backward_filter_exact(context.get(), plan.get(), x.data(), dy.data(), 0,
                                    dw_exact.data(), scratch.data(), size),
        xconv_backward_data(context.get(), plan.get(), w.data(), dy.data(), dx.data(),
                            scratch.data(), size),
        xconv_backward_bias(context.get(), plan.get(), dy.data(), 0, db.data())};
    for (const xconv_status status : statuses) {
        if (status != XCONV_SUCCESS) {
            return status;
        }
    }
    return XCONV_SUCCESS;
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
    out.status = run_calls(context, plan, in, seed, out, scratch);
    return out;
}

} // namespace training
