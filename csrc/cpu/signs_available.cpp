#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cpu/signs.hpp"

namespace xconv::cpu::signs {

namespace {

bool ask_system()
{
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    constexpr unsigned bfloat16 = 1U << 22;
    constexpr unsigned tiles = 1U << 24;
    if (__builtin_cpu_supports("avx512f") == 0 || __builtin_cpu_supports("avx512bw") == 0 ||
        __builtin_cpu_supports("avx512dq") == 0 || __builtin_cpu_supports("avx512vl") == 0 ||
        __get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & bfloat16) == 0 || (d & tiles) == 0) {
        return false;
    }
    constexpr long request_permission = 0x1023; // ARCH_REQ_XCOMP_PERM
    constexpr long tile_data = 18;
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

} // namespace

bool available()
{
    static const bool answer = ask_system();
    return answer;
}

} // namespace xconv::cpu::signs
