// All projections. A new one is a file beside this, an entry here, and an enum
// value in xconv.h; the statistical tests iterate the enum.
#include <array>

#include "schemes/projection.hpp"

namespace xconv {

std::span<const ProjectionEntry> projections()
{
    static constexpr std::array entries{
        ProjectionEntry{XCONV_IDENTITY, "identity", false, false, make_identity},
        ProjectionEntry{XCONV_DENSE, "dense", true, false, make_dense},
        ProjectionEntry{XCONV_ORTHOGONAL, "orthogonal", true, false, make_orthogonal},
        ProjectionEntry{XCONV_INDEPENDENT, "independent", true, true, make_independent},
    };
    return entries;
}

const ProjectionEntry &find_projection(xconv_projection projection)
{
    for (const ProjectionEntry &entry : projections()) {
        if (entry.projection == projection) {
            return entry;
        }
    }
    fail(XCONV_INVALID_ARGUMENT, "projection = {}: not an xconv_projection", projection);
}

} // namespace xconv
