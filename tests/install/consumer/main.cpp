// A C++17 program beside an installed xconv. A 1x1 convolution's filter gradient
// is a product of matrices, computed here too; its probed estimate, averaged over
// seeds, has to come near.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <vector>
#include <xconv/xconv.hpp>

namespace {

constexpr int batch = 4, in = 2, out = 3, places = 6;

std::vector<double> values(int count, int step)
{
    std::vector<double> result;
    for (int i = 0; i < count; ++i)
        result.push_back(i * step % 7 - 1);
    return result;
}

std::vector<double> expected(const std::vector<double> &x, const std::vector<double> &dy)
{
    std::vector<double> dw(out * in);
    for (int b = 0; b < batch; ++b)
        for (int o = 0; o < out; ++o)
            for (int i = 0; i < in; ++i)
                for (int p = 0; p < places; ++p)
                    dw[o * in + i] += dy[(b * out + o) * places + p] * x[(b * in + i) * places + p];
    return dw;
}

/// Mean of the estimate over many seeds, by way of beta.
std::vector<double> estimate(const xconv::Scheme &scheme, int draws, const std::vector<double> &x,
                             const std::vector<double> &dy)
{
    const auto conv =
        xconv::Conv(xconv::DType::f64).batch(batch).channels(in, out).in_size({places}).kernel(1);
    const xconv::Plan plan(xconv::Context(1), conv, scheme);
    auto kept = plan.new_sketch();
    auto work = plan.new_workspace();
    std::vector<double> dw(plan.w_count());
    for (int seed = 0; seed < draws; ++seed) {
        plan.sketch(x.data(), static_cast<std::uint64_t>(seed), kept, work);
        plan.backward_filter(kept, static_cast<std::uint64_t>(seed), dy.data(), dw.data(), work, 1);
    }
    for (double &value : dw)
        value /= draws;
    return dw;
}

double distance(const std::vector<double> &a, const std::vector<double> &b)
{
    double worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        worst = std::fmax(worst, std::fabs(a[i] - b[i]));
    return worst;
}

} // namespace

int main()
{
    const auto x = values(batch * in * places, 3);
    const auto dy = values(batch * out * places, 2);
    const auto exact = expected(x, dy);
    const double exact_error = distance(estimate(xconv::Scheme::exact(), 1, x, dy), exact);
    // The entries are 65 to 109. One probe's estimate z'Mz, with M = sum of x_b dy_b'
    // over the batch, has a standard deviation of at most sqrt(2) |M|, here 202;
    // the mean of 5000 thus 2.9, and 14 is five times that.
    const double mean_error = distance(estimate(xconv::Scheme::dense(1), 5000, x, dy), exact);
    std::printf("errors: exact %g, mean of 5000 dense estimates %g\n", exact_error, mean_error);
    return exact_error < 1e-9 && mean_error < 14 ? 0 : 1;
}
