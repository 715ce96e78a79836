#include "conv_banded.hpp"

#include <algorithm>
#include <map>
#include <vector>

#include "bands.hpp"

namespace xconv {

namespace {

/// The bands of one geometry, and one pass for each different shape among them:
/// all bands but the first and the last are alike.
template <class PassType> class Bands {
  public:
    struct Part {
        int64_t x_bytes; // from the tensor to the band
        int64_t y_bytes;
        const PassType *pass;
    };

    Bands(const std::vector<Band> &bands, int64_t workspace_limit,
          const PassFactory<PassType> &make)
    {
        for (const Band &band : bands) {
            const ConvGeometry &g = band.geometry;
            auto &pass = passes_[{g.in, g.out, g.pad_begin, g.pad_end}];
            if (!pass) {
                pass = make(g, workspace_limit);
                workspace_ = std::max(workspace_, pass->workspace());
            }
            const int64_t element = element_bytes(g.dtype);
            parts_.push_back({band.x_offset * element, band.y_offset * element, pass.get()});
        }
    }

    [[nodiscard]] const std::vector<Part> &parts() const { return parts_; }
    [[nodiscard]] int64_t workspace() const { return workspace_; }
    [[nodiscard]] std::string describe() const
    {
        return fmt::format("{} bands, {}", parts_.size(), parts_.front().pass->describe());
    }

  private:
    std::map<std::array<Axes, 4>, std::unique_ptr<PassType>> passes_;
    std::vector<Part> parts_;
    int64_t workspace_ = 0;
};

class BandedForward final : public ForwardPass {
  public:
    explicit BandedForward(Bands<ForwardPass> bands) : bands_(std::move(bands)) {}
    [[nodiscard]] int64_t workspace() const override { return bands_.workspace(); }
    [[nodiscard]] std::string describe() const override { return bands_.describe(); }
    void run(const Backend &on, const void *x, const void *w, const void *bias, void *y,
             void *workspace) const override
    {
        for (const auto &part : bands_.parts()) {
            part.pass->run(on, at_byte(x, part.x_bytes), w, bias, at_byte(y, part.y_bytes),
                           workspace);
        }
    }

  private:
    Bands<ForwardPass> bands_;
};

class BandedData final : public DataPass {
  public:
    explicit BandedData(Bands<DataPass> bands) : bands_(std::move(bands)) {}
    [[nodiscard]] int64_t workspace() const override { return bands_.workspace(); }
    [[nodiscard]] std::string describe() const override { return bands_.describe(); }
    void run(const Backend &on, const void *w, const void *dy, void *dx,
             void *workspace) const override
    {
        for (const auto &part : bands_.parts()) {
            part.pass->run(on, w, at_byte(dy, part.y_bytes), at_byte(dx, part.x_bytes), workspace);
        }
    }

  private:
    Bands<DataPass> bands_;
};

class BandedFilter final : public FilterPass {
  public:
    explicit BandedFilter(Bands<FilterPass> bands) : bands_(std::move(bands)) {}
    [[nodiscard]] int64_t workspace() const override { return bands_.workspace(); }
    [[nodiscard]] std::string describe() const override { return bands_.describe(); }
    void run(const Backend &on, const void *x, const void *dy, bool accumulate, void *dw,
             void *workspace) const override
    {
        for (const auto &part : bands_.parts()) {
            part.pass->run(on, at_byte(x, part.x_bytes), at_byte(dy, part.y_bytes), accumulate, dw,
                           workspace);
            accumulate = true;
        }
    }

  private:
    Bands<FilterPass> bands_;
};

/// oneDNN prepares a pass in a time that grows with the square of its rows: a few
/// hundredths of a second for a line of so many points, 10 s for a million.
constexpr int64_t kMostRows = int64_t{1} << 16;

/// Halve the bands until a pass fits. Where none does, since the filter alone takes more,
/// no smaller than brings the workspace near to the least.
template <class Banded, class PassType>
std::unique_ptr<PassType> fit(const ConvGeometry &geometry, int64_t rows, int64_t workspace_limit,
                              std::vector<Band> (*cut)(const ConvGeometry &, int64_t),
                              const PassFactory<PassType> &make)
{
    std::unique_ptr<PassType> whole;
    if (rows <= kMostRows || !can_band(geometry)) {
        whole = make(geometry, workspace_limit);
        if (whole->workspace() <= workspace_limit || !can_band(geometry)) {
            return whole;
        }
    }
    std::vector<std::unique_ptr<PassType>> too_large;
    if (whole) {
        too_large.push_back(std::move(whole));
    }
    const int64_t least = least_band_rows(rows);
    while (rows > least) {
        rows = std::max((rows + 1) / 2, least);
        if (rows > std::max(kMostRows, least)) {
            continue;
        }
        Bands<PassType> bands(cut(geometry, rows), workspace_limit, make);
        auto pass = std::make_unique<Banded>(std::move(bands));
        if (pass->workspace() <= workspace_limit) {
            return pass;
        }
        too_large.push_back(std::move(pass));
    }
    const int64_t near = too_large.back()->workspace() / 2 * 3;
    return std::move(*std::ranges::find_if(
        too_large, [near](const auto &pass) { return pass->workspace() <= near; }));
}

} // namespace

std::unique_ptr<ForwardPass> banded_forward(const ConvGeometry &geometry, int64_t workspace_limit,
                                            const PassFactory<ForwardPass> &make)
{
    return fit<BandedForward>(geometry, rows_of_y(geometry), workspace_limit, bands_of_y, make);
}

std::unique_ptr<DataPass> banded_data(const ConvGeometry &geometry, int64_t workspace_limit,
                                      const PassFactory<DataPass> &make)
{
    return fit<BandedData>(geometry, rows_of_x(geometry), workspace_limit, bands_of_x, make);
}

std::unique_ptr<FilterPass> banded_filter(const ConvGeometry &geometry, int64_t workspace_limit,
                                          const PassFactory<FilterPass> &make)
{
    return fit<BandedFilter>(geometry, rows_of_y(geometry), workspace_limit, bands_of_y, make);
}

} // namespace xconv
