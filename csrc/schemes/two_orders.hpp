// A projection that can be contracted in either order: what the random ones have
// in common.
#pragma once

#include <optional>
#include <string>

#include "cost.hpp"
#include "schemes/x_first.hpp"

namespace xconv {

class TwoOrders : public Projection {
  public:
    [[nodiscard]] xconv_contraction contraction() const final { return order_.contraction; }
    [[nodiscard]] double cost() const final { return order_.cost; }
    [[nodiscard]] int64_t filter_workspace() const final
    {
        return x_first_ ? x_first_->workspace() : dy_first_workspace();
    }
    void filter(const Backend &on, uint64_t seed, const KeptNumbers &numbers, const void *dy,
                void *sum, void *ones, void *workspace) const final
    {
        if (x_first_) {
            x_first_->run(on, dy, sum, workspace,
                          [&](const XHatPart &part) { reconstruct(on, seed, numbers, part); });
        }
        else {
            contract_dy_first(on, seed, numbers.data, dy, sum, ones, workspace);
        }
    }
    [[nodiscard]] std::string describe() const final
    {
        return x_first_ ? x_first_->describe() : "dy first, " + describe_dy_first();
    }

  protected:
    explicit TwoOrders(const ProjectionSetup &setup)
        : geometry_(setup.geometry), distribution_(setup.distribution), deflated_(setup.deflated)
    {
    }

    /// Backend::combine_and_sum(); ones may be null.
    void combine(const Backend &on, Interval places, ConstMatrix coefficients, const void *dy,
                 Matrix out, void *ones) const
    {
        if (ones == nullptr) {
            const PlacesOfY in(geometry_, places, dy);
            on.combine(geometry_.dtype, coefficients, in.rows, in.columns, out);
        }
        else {
            on.combine_and_sum(geometry_, places, coefficients, dy, out, ones);
        }
    }
    /// Backend::expand() to some channels of x-hat, runs of `rows`, with the means of
    /// these from number `mean` on, where there are any: `stride` from a row to the next.
    void expand(const Backend &on, const Probes &probes, Runs rows, ConstMatrix coefficients,
                const KeptNumbers &numbers, int64_t mean, int64_t stride, Matrix out) const
    {
        if (numbers.means == nullptr) {
            on.expand(compute(), probes, rows, coefficients, nullptr, out);
            return;
        }
        const RunConstants means{1 / scale(),
                                 {at(numbers.means, mean), out.rows, rows.count, stride}};
        on.expand(compute(), probes, rows, coefficients, &means, out);
    }
    /// Backend::project() of whole channels; and their means, unless these are of no data.
    void project(const Backend &on, const Probes &probes, ConstMatrix x, Matrix out, Matrix means,
                 void *workspace) const
    {
        const ChannelMeans wanted{geometry_.in_points(), means};
        on.project(geometry_.dtype, probes, x, out, means.data == nullptr ? nullptr : &wanted,
                   workspace);
    }
    [[nodiscard]] int64_t project_workspace(const Backend &on, int64_t rows, int64_t length,
                                            int64_t columns) const
    {
        return on.project_workspace(geometry_.dtype, rows, length, columns,
                                    deflated_ ? geometry_.in_points() : 0);
    }

    /// Prepare for the order chosen; true for dy first, which the derived class
    /// prepares itself.
    bool prepare(const ProjectionSetup &setup, const Order &order)
    {
        order_ = order;
        if (order.contraction == XCONV_X_FIRST) {
            x_first_.emplace(setup);
        }
        return order.contraction == XCONV_DY_FIRST;
    }

    /// Write a part of x-hat, without the factor scale().
    virtual void reconstruct(const Backend &on, uint64_t seed, const KeptNumbers &numbers,
                             const XHatPart &part) const = 0;
    /// filter() the other way.
    virtual void contract_dy_first(const Backend &on, uint64_t seed, const void *numbers,
                                   const void *dy, void *sum, void *ones,
                                   void *workspace) const = 0;
    [[nodiscard]] virtual int64_t dy_first_workspace() const = 0;
    [[nodiscard]] virtual std::string describe_dy_first() const = 0;

    /// Of the tensors.
    [[nodiscard]] const ConvGeometry &geometry() const { return geometry_; }
    /// The type of numbers and its size.
    [[nodiscard]] Dtype compute() const { return compute_dtype(geometry_.dtype); }
    [[nodiscard]] int64_t bytes() const { return element_bytes(compute()); }
    /// So many numbers further on.
    template <class Void> [[nodiscard]] Void *at(Void *base, int64_t numbers) const
    {
        return xconv::at_element(compute(), base, numbers);
    }
    /// So many elements of a tensor further on.
    [[nodiscard]] const void *at_element(const void *tensor, int64_t elements) const
    {
        return xconv::at_element(geometry_.dtype, tensor, elements);
    }
    [[nodiscard]] Probes probes(uint64_t seed, int64_t row, int64_t column) const
    {
        return {seed, distribution_, row, column};
    }

  private:
    ConvGeometry geometry_;
    Distribution distribution_;
    bool deflated_;
    Order order_{};
    std::optional<XFirst> x_first_; // when that is the order
};

} // namespace xconv
