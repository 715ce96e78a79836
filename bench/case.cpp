#include "case.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace bench {
namespace {

template <class Value, size_t count>
using Words = std::array<std::pair<std::string_view, Value>, count>;

constexpr Words<xconv_projection, 4> kProjections{{{"identity", XCONV_IDENTITY},
                                                   {"dense", XCONV_DENSE},
                                                   {"orthogonal", XCONV_ORTHOGONAL},
                                                   {"independent", XCONV_INDEPENDENT}}};
constexpr Words<xconv_distribution, 3> kDistributions{
    {{"rademacher", XCONV_RADEMACHER}, {"gaussian", XCONV_GAUSSIAN}, {"uniform", XCONV_UNIFORM}}};
constexpr Words<xconv_contraction, 3> kOrders{
    {{"auto", XCONV_CONTRACTION_AUTO}, {"dy_first", XCONV_DY_FIRST}, {"x_first", XCONV_X_FIRST}}};
constexpr Words<xconv_dtype, 4> kDtypes{{{"float32", XCONV_F32},
                                         {"float64", XCONV_F64},
                                         {"float16", XCONV_F16},
                                         {"bfloat16", XCONV_BF16}}};
constexpr Words<unsigned, 6> kRowWords{{{"exact", kExact},
                                        {"step", kStep},
                                        {"parts", kParts},
                                        {"forward", kForward},
                                        {"info", kInfo},
                                        {"all", kAllRows}}};

template <class Value, size_t count>
bool find_word(const Words<Value, count> &words, std::string_view word, Value *value)
{
    const auto *found = std::find_if(words.begin(), words.end(),
                                     [&](const auto &entry) { return entry.first == word; });
    if (found == words.end()) {
        return false;
    }
    *value = found->second;
    return true;
}

template <class Value, size_t count>
std::string_view word_of(const Words<Value, count> &words, Value value)
{
    return std::find_if(words.begin(), words.end(),
                        [&](const auto &entry) { return entry.second == value; })
        ->first;
}

std::vector<std::string> split(std::string_view text, char separator)
{
    std::vector<std::string> parts;
    for (size_t begin = 0; begin <= text.size();) {
        const size_t end = std::min(text.find(separator, begin), text.size());
        parts.emplace_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return parts;
}

std::vector<int64_t> numbers(std::string_view text, char separator)
{
    std::vector<int64_t> values;
    for (const std::string &part : split(text, separator)) {
        int64_t value = 0;
        const char *end = part.data() + part.size();
        const auto [stop, error] = std::from_chars(part.data(), end, value);
        if (error != std::errc{} || stop != end || value < 0) {
            throw std::invalid_argument(fmt::format("'{}' is not a number", part));
        }
        values.push_back(value);
    }
    return values;
}

/// One number for all axes, or one for each.
void set_axes(std::string_view text, int32_t rank, int64_t (&axes)[3])
{
    const std::vector<int64_t> values = numbers(text, 'x');
    if (values.size() != 1 && values.size() != static_cast<size_t>(rank)) {
        throw std::invalid_argument(fmt::format("'{}' does not fit rank {}", text, rank));
    }
    for (size_t i = 0; i < static_cast<size_t>(rank); ++i) {
        axes[i] = values.size() == 1 ? values[0] : values[i];
    }
}

void set_channels(std::string_view text, xconv_conv_desc &conv)
{
    const std::vector<int64_t> values = numbers(text, '-');
    if (values.size() > 2) {
        throw std::invalid_argument(fmt::format("'c{}' has more than in-out channels", text));
    }
    conv.in_channels = values.front();
    conv.out_channels = values.back();
}

/// Sizes decide the rank, so they are read before everything else.
void set_geometry(const std::map<char, std::string> &values, Case &result)
{
    xconv_conv_desc &conv = result.conv;
    for (const char key : {'b', 'c', 'n', 'k'}) {
        if (!values.contains(key)) {
            throw std::invalid_argument(fmt::format("'{}' is missing", key));
        }
    }
    const size_t rank = split(values.at('n'), 'x').size();
    if (rank > 3) {
        throw std::invalid_argument(fmt::format("'n{}' has more than 3 axes", values.at('n')));
    }
    conv.rank = static_cast<int32_t>(rank);
    for (const auto &[key, text] : values) {
        switch (key) {
        case 'b':
            conv.batch = numbers(text, 'x').at(0);
            break;
        case 'c':
            set_channels(text, conv);
            break;
        case 'n':
            set_axes(text, conv.rank, conv.in_size);
            break;
        case 'k':
            set_axes(text, conv.rank, conv.kernel);
            break;
        case 's':
            set_axes(text, conv.rank, conv.stride);
            break;
        case 'd':
            set_axes(text, conv.rank, conv.dilation);
            break;
        case 'g':
            conv.groups = numbers(text, 'x').at(0);
            break;
        case 'r':
            result.scheme.probes = numbers(text, 'x').at(0);
            break;
        default:
            set_axes(text, conv.rank, conv.pad_begin);
            break;
        }
    }
    std::copy_n(conv.pad_begin, 3, conv.pad_end);
}

/// "bits2", "group256": the number behind a word.
bool find_number(std::string_view token, std::string_view word, int64_t *value)
{
    if (token.substr(0, word.size()) != word || token.size() == word.size()) {
        return false;
    }
    *value = numbers(token.substr(word.size()), 'x').at(0);
    return true;
}

/// Tokens that say what is kept of which type, and in which order it is contracted.
bool set_scheme(std::string_view token, Case &result)
{
    xconv_scheme_desc &scheme = result.scheme;
    int64_t bits = 0;
    if (find_number(token, "bits", &bits)) {
        scheme.bits = static_cast<int32_t>(bits);
        return true;
    }
    if (token == "mean") {
        scheme.deflate_mean = 1;
        return true;
    }
    return find_number(token, "group", &scheme.group) ||
           find_word(kProjections, token, &scheme.projection) ||
           find_word(kDistributions, token, &scheme.distribution) ||
           find_word(kOrders, token, &result.order) ||
           find_word(kDtypes, token, &result.conv.dtype);
}

unsigned parse_rows(std::string_view list)
{
    unsigned rows = 0;
    for (const std::string &word : split(list, ',')) {
        unsigned group = 0;
        if (!find_word(kRowWords, word, &group)) {
            throw std::invalid_argument(fmt::format("'{}' is not a group of rows", word));
        }
        rows |= group;
    }
    return rows;
}

Case parse_case(const std::vector<std::string> &tokens)
{
    Case result;
    result.text = fmt::format("{}", fmt::join(tokens, " "));
    std::map<char, std::string> values;
    for (const std::string &token : tokens) {
        if (token.rfind("rows=", 0) == 0) {
            result.rows = parse_rows(std::string_view(token).substr(5));
        }
        else if (token.rfind("floor=", 0) == 0) {
            continue; // for report.py
        }
        else if (token.size() > 1 &&
                 std::string_view("bcnkpsdgr").find(token[0]) != std::string_view::npos &&
                 token[1] >= '0' && token[1] <= '9') {
            values[token[0]] = token.substr(1);
        }
        else if (!set_scheme(token, result)) {
            throw std::invalid_argument(fmt::format("'{}' is not known", token));
        }
    }
    set_geometry(values, result);
    return result;
}

/// "b4,8" -> {"b4", "b8"}; words are listed whole.
std::vector<std::string> alternatives(const std::string &token)
{
    if (token.find('=') != std::string::npos) {
        return {token};
    }
    std::vector<std::string> parts = split(token, ',');
    const std::string key = token.substr(0, token.find_first_of("0123456789"));
    for (size_t i = 1; i < parts.size(); ++i) {
        if (!parts[i].empty() && parts[i][0] >= '0' && parts[i][0] <= '9') {
            parts[i].insert(0, key);
        }
    }
    return parts;
}

std::string axes_name(char key, const int64_t (&axes)[3], int32_t rank)
{
    const bool equal = std::all_of(axes, axes + rank, [&](int64_t a) { return a == axes[0]; });
    return fmt::format("_{}{}", key, fmt::join(axes, axes + (equal && key != 'n' ? 1 : rank), "x"));
}

} // namespace

std::string Case::geometry_name() const
{
    std::string name = fmt::format("b{}_c{}", conv.batch, conv.in_channels);
    if (conv.out_channels != conv.in_channels) {
        name += fmt::format("-{}", conv.out_channels);
    }
    name += axes_name('n', conv.in_size, conv.rank) + axes_name('k', conv.kernel, conv.rank);
    const auto differs = [&](const int64_t(&axes)[3], int64_t usual) {
        return std::any_of(axes, axes + conv.rank, [&](int64_t a) { return a != usual; });
    };
    if (differs(conv.pad_begin, 0)) {
        name += axes_name('p', conv.pad_begin, conv.rank);
    }
    if (differs(conv.stride, 1)) {
        name += axes_name('s', conv.stride, conv.rank);
    }
    if (differs(conv.dilation, 1)) {
        name += axes_name('d', conv.dilation, conv.rank);
    }
    if (conv.groups != 1) {
        name += fmt::format("_g{}", conv.groups);
    }
    return conv.dtype == XCONV_F32 ? name
                                   : fmt::format("{}_{}", name, word_of(kDtypes, conv.dtype));
}

std::string Case::scheme_name() const
{
    std::string name(word_of(kProjections, scheme.projection));
    if (scheme.projection != XCONV_IDENTITY) {
        name += fmt::format("_{}_r{}", word_of(kDistributions, scheme.distribution), scheme.probes);
    }
    if (scheme.deflate_mean != 0) {
        name += "_mean";
    }
    if (scheme.bits != 0) {
        name += fmt::format("_bits{}", scheme.bits);
    }
    if (scheme.group != 0) {
        name += fmt::format("_group{}", scheme.group);
    }
    return order == XCONV_CONTRACTION_AUTO ? name
                                           : fmt::format("{}_{}", name, word_of(kOrders, order));
}

std::vector<Case> parse_line(const std::string &line)
{
    std::vector<std::vector<std::string>> combinations{{}};
    for (const std::string &token : split(line.substr(0, line.find('#')), ' ')) {
        if (token == "require") {
            return {}; // what report.py holds the whole file to
        }
        if (token.empty()) {
            continue;
        }
        std::vector<std::vector<std::string>> longer;
        for (const auto &combination : combinations) {
            for (const std::string &choice : alternatives(token)) {
                longer.push_back(combination);
                longer.back().push_back(choice);
            }
        }
        combinations = std::move(longer);
    }
    if (combinations.front().empty()) {
        return {};
    }
    std::vector<Case> cases;
    cases.reserve(combinations.size());
    for (const auto &tokens : combinations) {
        cases.push_back(parse_case(tokens));
    }
    return cases;
}

std::vector<Case> read_cases(const std::filesystem::path &file)
{
    std::ifstream in(file);
    if (!in) {
        throw std::invalid_argument(fmt::format("cannot read {}", file.string()));
    }
    std::vector<Case> cases;
    std::string line;
    for (int number = 1; std::getline(in, line); ++number) {
        try {
            const std::vector<Case> more = parse_line(line);
            cases.insert(cases.end(), more.begin(), more.end());
        }
        catch (const std::invalid_argument &error) {
            throw std::invalid_argument(
                fmt::format("{}:{}: {}", file.string(), number, error.what()));
        }
    }
    return cases;
}

} // namespace bench
