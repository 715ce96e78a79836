#include "cpu/gemm.hpp"

#include <cblas.h>

#if XCONV_WITH_ONEDNN
#include "cpu/onednn_pieces.hpp"
#endif

namespace xconv::cpu {

namespace {

CBLAS_TRANSPOSE cblas(Op op) { return op == Op::none ? CblasNoTrans : CblasTrans; }

#if XCONV_WITH_ONEDNN
/// Whether oneDNN is the one to ask. It writes its kernels for the processor at hand, of
/// which the CBLAS may not know, and has been faster; but it updates columns that are no
/// whole vector one by one, which shows where they are few and the sums short.
bool suits_onednn(const Product<float> &p)
{
#if defined(__x86_64__)
    static const bool known = onednn::makes_kernels_for(dnnl::cpu_isa::avx2);
    return known && (p.n >= 32 || p.k >= 64);
#else
    return false;
#endif
}

void onednn_product(const Product<float> &p)
{
    const auto flag = [](Op op) { return op == Op::none ? 'N' : 'T'; };
    onednn::guarded([&] {
        dnnl::error::wrap_c_api(dnnl_sgemm(flag(p.a.op), flag(p.b.op), p.m, p.n, p.k, p.alpha,
                                           p.a.data, p.a.stride, p.b.data, p.b.stride, p.beta, p.c,
                                           p.c_stride),
                                "could not multiply matrices");
    });
}
#endif

} // namespace

void multiply(const Product<float> &p)
{
#if XCONV_WITH_ONEDNN
    if (suits_onednn(p)) {
        onednn_product(p);
        return;
    }
#endif
    cblas_sgemm(CblasRowMajor, cblas(p.a.op), cblas(p.b.op), p.m, p.n, p.k, p.alpha, p.a.data,
                static_cast<int>(p.a.stride), p.b.data, static_cast<int>(p.b.stride), p.beta, p.c,
                static_cast<int>(p.c_stride));
}

void multiply(const Product<double> &p)
{
    cblas_dgemm(CblasRowMajor, cblas(p.a.op), cblas(p.b.op), p.m, p.n, p.k, p.alpha, p.a.data,
                static_cast<int>(p.a.stride), p.b.data, static_cast<int>(p.b.stride), p.beta, p.c,
                static_cast<int>(p.c_stride));
}

} // namespace xconv::cpu
