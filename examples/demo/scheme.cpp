#include "scheme.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>
#include <string_view>

#include <fmt/format.h>

namespace demo {
namespace {

int64_t parse_count(std::string_view text, const char *what)
{
    int64_t count = 0;
    const char *end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, count);
    if (error != std::errc() || stop != end || count < 1)
        throw std::invalid_argument(
            fmt::format("'{}' is not a number of {}: give a whole number from 1", text, what));
    return count;
}

/// What stands before the first `mark`; `text` keeps what stands behind it.
std::string_view take_until(std::string_view &text, char mark)
{
    const size_t end = std::min(text.find(mark), text.size());
    const std::string_view taken = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return taken;
}

/// PROJECTION[:PROBES]
xconv::Scheme parse_projection(std::string_view text, int64_t default_probes,
                               xconv::Distribution distribution)
{
    if (text == "identity")
        return xconv::Scheme::exact();
    const std::string_view projection = take_until(text, ':');
    const bool given = text.data() != projection.data() + projection.size();
    const auto probes = [&] { return given ? parse_count(text, "probes") : default_probes; };
    if (projection == "dense")
        return xconv::Scheme::dense(probes(), distribution);
    if (projection == "orthogonal")
        return xconv::Scheme::orthogonal(probes(), distribution);
    if (projection == "independent")
        return xconv::Scheme::independent(probes(), distribution);
    throw std::invalid_argument(fmt::format("unknown scheme '{}': choose from exact, identity, "
                                            "dense, orthogonal, independent",
                                            projection));
}

void add_step(std::string_view step, xconv::Scheme &scheme)
{
    constexpr std::string_view kGroup = "group:";
    if (step == "mean")
        scheme.deflate_mean();
    else if (step == "1bit")
        scheme.bits(1);
    else if (step == "2bits" || step == "4bits" || step == "8bits")
        scheme.bits(step[0] - '0');
    else if (step.substr(0, kGroup.size()) == kGroup)
        scheme.group(parse_count(step.substr(kGroup.size()), "numbers in a group"));
    else
        throw std::invalid_argument(fmt::format(
            "unknown step '+{}': choose from +mean, +1bit, +2bits, +4bits, +8bits, +group:NUMBERS",
            step));
}

} // namespace

Scheme parse_scheme(const std::string &text, int64_t default_probes,
                    xconv::Distribution distribution)
{
    if (text == "exact")
        return {text, true};
    std::string_view rest = text;
    xconv::Scheme scheme = parse_projection(take_until(rest, '+'), default_probes, distribution);
    while (!rest.empty())
        add_step(take_until(rest, '+'), scheme);
    return {text == "identity" ? text : scheme.name(), false, scheme};
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
