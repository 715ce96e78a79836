// All projections. A new one is a file beside this, an entry here, and an enum
// value in xconv.h; the statistical tests iterate the enum.
#include <array>

#include "schemes/projection.hpp"

namespace xconv {

const ProjectionEntry &find_projection(xconv_projection projection)
{
    static constexpr std::array entries{
        ProjectionEntry{XCONV_IDENTITY, "identity", false, make_identity},
        ProjectionEntry{XCONV_DENSE, "dense", true, make_dense},
        ProjectionEntry{XCONV_ORTHOGONAL, "orthogonal", true, make_orthogonal},
        ProjectionEntry{XCONV_INDEPENDENT, "independent", true, make_independent},
    };
    for (const ProjectionEntry &entry : entries) {
        if (entry.projection == projection) {
            return entry;
        }
    }
    fail(XCONV_INVALID_ARGUMENT, "projection = {}: not an xconv_projection", projection);
}

} // namespace xconv
