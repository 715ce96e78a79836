// Probes on matrix units against plain loops and against the same operations
// without such units. On a machine without them only the latter is left.
#include <cmath>
#include <random>
#include <vector>

#include "../catch.hpp"
#include "backend.hpp"
#include "cpu/probes.hpp"
#include "cpu/signs.hpp"
#include "sign_inputs.hpp"

using sign_inputs::draw_window;
using sign_inputs::Floats;
using sign_inputs::sign;
using sign_inputs::whole_numbers;
using xconv::Distribution;
using xconv::Dtype;
using xconv::Probes;
using xconv::RunConstants;
using xconv::Runs;
using xconv::cpu::ProbeOps;
using xconv::cpu::SimdVariant;

namespace {

/// Numbers of all 24 bits, of sizes that differ by up to 2^20.
Floats any_numbers(int64_t count, std::mt19937_64 &bits)
{
    Floats values(static_cast<size_t>(count));
    for (float &value : values) {
        value = std::ldexp(static_cast<float>(static_cast<int32_t>(bits())),
                           -static_cast<int>(bits() % 20) - 31);
    }
    return values;
}

/// Every way this machine has to do the operations.
std::vector<ProbeOps> all_ops()
{
    std::vector<ProbeOps> list;
    for (const SimdVariant &variant : xconv::cpu::simd_variants()) {
        if (variant.runs_here()) {
            for (const int threads : {1, 3}) {
                list.push_back({threads, &variant, false});
                if (xconv::cpu::signs::available()) {
                    list.push_back({threads, &variant, true});
                }
            }
        }
    }
    return list;
}

/// Whole numbers up to `largest`, or any.
Floats numbers(int64_t count, int64_t largest, bool exact, std::mt19937_64 &bits)
{
    return exact ? whole_numbers(count, largest, bits) : any_numbers(count, bits);
}

/// The row or column that is number `i` of those in `runs`.
int64_t position(Runs runs, int64_t i) { return i / runs.length * runs.stride + i % runs.length; }

/// Sums of products by plain loops, and what a Float32 sum of the same terms, in any
/// order, may be off: n eps times the sum of their sizes, and of whole numbers nothing.
class Sums {
  public:
    explicit Sums(bool exact) : exact_(exact) {}

    /// The sum over i of a(i) * b(i).
    template <class A, class B> void add(int64_t terms, const A &a, const B &b)
    {
        double sum = 0;
        double sizes = 0;
        for (int64_t i = 0; i < terms; ++i) {
            const double term = static_cast<double>(a(i)) * static_cast<double>(b(i));
            sum += term;
            sizes += std::abs(term);
        }
        values_.push_back(sum);
        bounds_.push_back(exact_ ? 0 : static_cast<double>(terms + 4) * 0x1p-24 * sizes);
    }
    /// Room for the results, and behind them, of what none of them is.
    [[nodiscard]] Floats untouched() const { return Floats(values_.size() + kBehind, kNone); }

    void check(const Floats &got, const ProbeOps &ops) const
    {
        for (size_t i = 0; i < values_.size(); ++i) {
            if (!(std::abs(static_cast<double>(got[i]) - values_[i]) <= bounds_[i])) {
                FAIL(ops.simd->name << (ops.matrix_units ? " with" : " without")
                                    << " matrix units, " << ops.threads << " threads: entry " << i
                                    << " is " << got[i] << " instead of " << values_[i]
                                    << " within " << bounds_[i]);
            }
        }
        for (size_t i = values_.size(); i < got.size(); ++i) {
            REQUIRE(got[i] == kNone);
        }
    }

  private:
    static constexpr size_t kBehind = 10000;
    static constexpr float kNone = -0.375F;

    bool exact_;
    std::vector<double> values_;
    std::vector<double> bounds_;
};

void check_project(int64_t rows, int64_t length, int64_t columns, bool exact, std::mt19937_64 &bits)
{
    const Probes probes = draw_window(bits);
    const int64_t stride = length + 3;
    const Floats x = numbers(rows * stride, 100, exact, bits);
    Sums sums(exact);
    for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < columns; ++j) {
            sums.add(
                length, [&](int64_t p) { return x[static_cast<size_t>(i * stride + p)]; },
                [&](int64_t p) { return sign(probes, p, j); });
        }
    }
    for (const ProbeOps &ops : all_ops()) {
        Floats out = sums.untouched();
        std::vector<char> workspace(static_cast<size_t>(
            xconv::cpu::project_workspace(Dtype::f32, rows, length, columns, 0)));
        ops.project(Dtype::f32, probes, {x.data(), rows, length, stride},
                    {out.data(), rows, columns, columns}, nullptr, workspace.data());
        sums.check(out, ops);
    }
}

void check_expand(int64_t rows, Runs places, int64_t columns, bool exact, std::mt19937_64 &bits)
{
    const Probes probes = draw_window(bits);
    const Floats c = numbers(rows * columns, 1000, exact, bits);
    const int64_t stride = places.count + 2;
    const Floats values = numbers(rows * stride, 1000, exact, bits);
    const RunConstants constants{4, {values.data(), rows, places.count, stride}};
    for (const RunConstants *given : {static_cast<const RunConstants *>(nullptr), &constants}) {
        Sums sums(exact);
        for (int64_t i = 0; i < rows; ++i) {
            for (int64_t p = 0; p < places.total(); ++p) {
                // A constant is one more term, times one.
                const float constant =
                    4 * values[static_cast<size_t>(i * stride + p / places.length)];
                sums.add(
                    columns + (given != nullptr ? 1 : 0),
                    [&](int64_t j) {
                        return j < columns ? c[static_cast<size_t>(i * columns + j)] : constant;
                    },
                    [&](int64_t j) {
                        return j < columns ? sign(probes, position(places, p), j) : 1;
                    });
            }
        }
        for (const ProbeOps &ops : all_ops()) {
            Floats out = sums.untouched();
            ops.expand(Dtype::f32, probes, places, {c.data(), rows, columns, columns}, given,
                       {out.data(), rows, places.total(), places.total()});
            sums.check(out, ops);
        }
    }
}

void check_combine(int64_t batch, Runs places, int64_t columns, bool exact, std::mt19937_64 &bits)
{
    const int64_t stride = places.count * places.stride + 5;
    const Floats c = numbers(batch * columns, 500, exact, bits);
    Floats in = numbers(batch * stride, 300, exact, bits);
    in.resize(static_cast<size_t>((batch + 32) * stride), std::nanf("")); // nobody's rows
    Sums sums(exact);
    for (int64_t j = 0; j < columns; ++j) {
        for (int64_t p = 0; p < places.total(); ++p) {
            sums.add(
                batch, [&](int64_t b) { return c[static_cast<size_t>(b * columns + j)]; },
                [&](int64_t b) {
                    return in[static_cast<size_t>(b * stride + position(places, p))];
                });
        }
    }
    for (const ProbeOps &ops : all_ops()) {
        Floats out = sums.untouched();
        ops.combine(Dtype::f32, {c.data(), batch, columns, columns},
                    {in.data(), batch, places.count * places.stride, stride}, places,
                    {out.data(), columns, places.total(), places.total()});
        sums.check(out, ops);
    }
}

} // namespace

TEST_CASE("every variant draws the bits of the definition", "[signs]")
{
    constexpr auto lanes = static_cast<size_t>(xconv::cpu::kBitLanes);
    std::mt19937_64 bits(1);
    for (const SimdVariant &variant : xconv::cpu::simd_variants()) {
        if (!variant.runs_here()) {
            continue;
        }
        for (const bool aligned : {true, false}) {
            for (const int64_t count : {1, 31, 128, 129, 500, 1000, 2000}) {
                const uint64_t seed = bits();
                int64_t rows[lanes];
                int64_t columns[lanes];
                for (size_t lane = 0; lane < lanes; ++lane) {
                    rows[lane] = static_cast<int64_t>(bits() % (uint64_t{1} << 40));
                    rows[lane] -= aligned ? rows[lane] % 128 : 0;
                    columns[lane] = static_cast<int64_t>(bits() % (uint64_t{1} << 40));
                }
                std::vector<uint32_t> words(static_cast<size_t>((count + 127) / 128 * 4) * lanes);
                variant.draw_bits(seed, rows, columns, count, words.data());
                int64_t wrong = 0;
                for (int64_t p = 0; p < count; ++p) {
                    for (size_t lane = 0; lane < lanes; ++lane) {
                        const uint32_t word = words[static_cast<size_t>(p / 32) * lanes + lane];
                        const float got = (word >> (p % 32) & 1U) != 0 ? -1.0F : 1.0F;
                        const float expected = xconv::probe_entry<float>(
                            seed, Distribution::rademacher, rows[lane] + p, columns[lane]);
                        wrong += got == expected ? 0 : 1;
                    }
                }
                INFO(variant.name << ", " << count << " rows, aligned: " << aligned);
                REQUIRE(wrong == 0);
            }
        }
    }
}

TEST_CASE("the sketch is the same with matrix units and without", "[signs]")
{
    std::mt19937_64 bits(2);
    for (const bool exact : {true, false}) {
        check_project(1, 1, 1, exact, bits);
        check_project(3, 33, 17, exact, bits);
        check_project(16, 256, 16, exact, bits);
        check_project(20, 300, 70, exact, bits);
        check_project(5, 9001, 5, exact, bits);
        check_project(40, 2049, 32, exact, bits);
    }
}

TEST_CASE("reconstructions are the same with matrix units and without", "[signs]")
{
    std::mt19937_64 bits(3);
    for (const bool exact : {true, false}) {
        check_expand(1, {1, 1, 1}, 1, exact, bits);
        check_expand(4, {3, 40, 50}, 8, exact, bits);
        check_expand(15, {1, 64, 64}, 32, exact, bits);
        check_expand(16, {2, 512, 512}, 32, exact, bits);
        check_expand(19, {2, 530, 600}, 33, exact, bits);
        check_expand(33, {1, 100, 100}, 130, exact, bits);
    }
}

TEST_CASE("combinations are the same with matrix units and without", "[signs]")
{
    std::mt19937_64 bits(4);
    for (const bool exact : {true, false}) {
        check_combine(1, {1, 1, 1}, 1, exact, bits);
        check_combine(5, {3, 40, 50}, 8, exact, bits);
        check_combine(32, {2, 128, 128}, 15, exact, bits);
        check_combine(32, {2, 128, 128}, 16, exact, bits);
        check_combine(65, {1, 300, 300}, 35, exact, bits);
        check_combine(140, {2, 37, 40}, 70, exact, bits);
    }
}
