#include "plot.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace demo {
namespace {

constexpr double kPanelWidth = 460;
constexpr double kPanelHeight = 400;
constexpr double kLeft = 64; // margins around the axes
constexpr double kRight = 16;
constexpr double kTop = 34;
constexpr double kBottom = 48;
constexpr double kLegendHeight = 34;

struct Style {
    const char *name;
    const char *colour; // distinct to the colour-blind, too
};
constexpr std::array<Style, 4> kStyles{Style{"identity", "#000000"}, Style{"dense", "#d55e00"},
                                       Style{"orthogonal", "#009e73"},
                                       Style{"independent", "#0072b2"}};

const Style &style_of(const xconv::Scheme &scheme)
{
    return kStyles.at(static_cast<size_t>(scheme.projection()));
}

/// A logarithmic axis over whole powers of ten, drawn from `begin` to `end`.
class Axis {
  public:
    Axis(double begin, double end) : begin_(begin), end_(end) {}

    void include(double value)
    {
        low_ = std::min(low_, static_cast<int>(std::floor(std::log10(value))));
        high_ = std::max(high_, static_cast<int>(std::ceil(std::log10(value))));
    }
    [[nodiscard]] double operator()(double value) const
    {
        return begin_ + (end_ - begin_) * (std::log10(value) - low_) / std::max(high_ - low_, 1);
    }
    [[nodiscard]] int low() const { return low_; }
    [[nodiscard]] int high() const { return high_; }

  private:
    double begin_;
    double end_;
    int low_ = std::numeric_limits<int>::max();
    int high_ = std::numeric_limits<int>::min();
};

/// The exact scheme has no noise, and no place on a logarithmic axis.
bool drawable(const xconv::Advice &advice)
{
    return advice.relative_variance > 0 && std::isfinite(advice.relative_variance);
}

std::string text(double x, double y, const char *anchor, const std::string &content)
{
    return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x, y,
                       anchor, content);
}

std::string line(double x1, double y1, double x2, double y2, const char *look)
{
    return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" {}/>\n", x1,
                       y1, x2, y2, look);
}

std::string grid(const Axis &bytes, const Axis &noise)
{
    constexpr const char *kGrid = "stroke=\"#dddddd\"";
    const double bottom = kPanelHeight - kBottom;
    const double right = kPanelWidth - kRight;
    std::string svg;
    for (int power = bytes.low(); power <= bytes.high(); ++power) {
        const double x = bytes(std::pow(10.0, power));
        svg += line(x, kTop, x, bottom, kGrid) +
               text(x, bottom + 16, "middle", fmt::format("1e{}", power));
    }
    for (int power = noise.low(); power <= noise.high(); ++power) {
        const double y = noise(std::pow(10.0, power));
        svg += line(kLeft, y, right, y, kGrid) +
               text(kLeft - 6, y + 4, "end", fmt::format("1e{}", power));
    }
    svg += text((kLeft + right) / 2, kPanelHeight - 10, "middle", "bytes kept of the batch");
    svg += fmt::format("<text transform=\"translate(16,{:.0f}) rotate(-90)\" "
                       "text-anchor=\"middle\">relative variance of dw</text>\n",
                       (kTop + bottom) / 2);
    return svg;
}

std::string point(const xconv::Advice &advice, double x, double y)
{
    const char *colour = style_of(advice.scheme).colour;
    std::string svg = fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\" fill=\"{}\" fill-opacity=\"{}\">"
        "<title>{}: {} bytes, relative variance {:.3g}, {:.3g} ms</title></circle>\n",
        x, y, advice.on_front ? 4 : 2.5, colour, advice.on_front ? 1.0 : 0.35, advice.scheme.name(),
        advice.kept_bytes, advice.relative_variance, advice.milliseconds);
    if (advice.recommended)
        svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"8\" fill=\"none\" "
                           "stroke=\"{}\" stroke-width=\"2\"/>\n",
                           x, y, colour);
    return svg;
}

std::string panel(const LayerAdvice &layer)
{
    const xconv::AdviceList &list = layer.list;
    const bool has_batch_noise = std::isfinite(list.batch_noise) && list.batch_noise > 0;
    Axis bytes(kLeft, kPanelWidth - kRight);
    Axis noise(kPanelHeight - kBottom, kTop);
    bytes.include(static_cast<double>(list.x_bytes));
    noise.include(has_batch_noise ? list.batch_noise : 1.0);
    for (const xconv::Advice &advice : list.schemes)
        if (drawable(advice)) {
            bytes.include(static_cast<double>(advice.kept_bytes));
            noise.include(advice.relative_variance);
        }

    std::string svg = text(kPanelWidth / 2, 18, "middle", layer.layer) + grid(bytes, noise);
    std::string points;
    std::string front;
    for (const xconv::Advice &advice : list.schemes) {
        if (!drawable(advice))
            continue;
        const double x = bytes(static_cast<double>(advice.kept_bytes));
        const double y = noise(advice.relative_variance);
        points += point(advice, x, y);
        if (advice.on_front)
            front += fmt::format("{:.1f},{:.1f} ", x, y);
    }
    if (has_batch_noise)
        svg += line(kLeft, noise(list.batch_noise), kPanelWidth - kRight, noise(list.batch_noise),
                    "stroke=\"#cc79a7\" stroke-width=\"2\" stroke-dasharray=\"6 4\"");
    svg += fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"#888888\"/>\n", front);
    return svg + points;
}

std::string legend()
{
    std::string svg;
    double x = kLeft;
    for (const Style &style : kStyles) {
        svg += fmt::format("<circle cx=\"{}\" cy=\"14\" r=\"4\" fill=\"{}\"/>\n", x, style.colour) +
               text(x + 9, 18, "start", style.name);
        x += 96;
    }
    svg +=
        line(x, 14, x + 24, 14, "stroke=\"#cc79a7\" stroke-width=\"2\" stroke-dasharray=\"6 4\"");
    svg += text(x + 30, 18, "start", "noise of the mini-batch itself");
    return svg;
}

} // namespace

std::string advice_plot(const std::vector<LayerAdvice> &layers)
{
    const double width = kPanelWidth * static_cast<double>(std::max<size_t>(layers.size(), 1));
    std::string svg = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
        "viewBox=\"0 0 {0:.0f} {1:.0f}\" font-family=\"sans-serif\" font-size=\"12\">\n"
        "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{2}",
        width, kPanelHeight + kLegendHeight, legend());
    double x = 0;
    for (const LayerAdvice &layer : layers) {
        svg += fmt::format("<g transform=\"translate({:.0f},{:.0f})\">\n{}</g>\n", x, kLegendHeight,
                           panel(layer));
        x += kPanelWidth;
    }
    return svg + "</svg>\n";
}

} // namespace demo
