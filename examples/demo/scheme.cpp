#include "scheme.hpp"

#include <charconv>
#include <stdexcept>
#include <string_view>

#include <fmt/format.h>

namespace demo {
namespace {

int64_t parse_probes(std::string_view text)
{
    int64_t probes = 0;
    const char *end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, probes);
    if (error != std::errc() || stop != end || probes < 1)
        throw std::invalid_argument(
            fmt::format("'{}' is not a number of probes: give a whole number from 1", text));
    return probes;
}

xconv::Scheme probing(const std::string &projection, int64_t probes,
                      xconv::Distribution distribution)
{
    if (projection == "dense")
        return xconv::Scheme::dense(probes, distribution);
    if (projection == "orthogonal")
        return xconv::Scheme::orthogonal(probes, distribution);
    if (projection == "independent")
        return xconv::Scheme::independent(probes, distribution);
    throw std::invalid_argument(fmt::format("unknown scheme '{}': choose from exact, identity, "
                                            "dense, orthogonal, independent",
                                            projection));
}

} // namespace

Scheme parse_scheme(const std::string &text, int64_t default_probes,
                    xconv::Distribution distribution)
{
    if (text == "exact")
        return {text, true};
    if (text == "identity")
        return {text};
    const size_t colon = text.find(':');
    const std::string projection = text.substr(0, colon);
    const int64_t probes = colon == std::string::npos
                               ? default_probes
                               : parse_probes(std::string_view(text).substr(colon + 1));
    return {fmt::format("{} r={}", projection, probes), false,
            probing(projection, probes, distribution)};
}

xconv::Distribution parse_distribution(const std::string &text)
{
    if (text == "rademacher")
        return xconv::Distribution::rademacher;
    if (text == "gaussian")
        return xconv::Distribution::gaussian;
    if (text == "uniform")
        return xconv::Distribution::uniform;
    throw std::invalid_argument(
        fmt::format("unknown distribution '{}': choose from rademacher, gaussian, uniform", text));
}

} // namespace demo
