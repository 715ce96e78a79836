# shellcheck shell=bash
# Shared by the scripts of this folder: `. "$(dirname "$0")/lib.sh"`. Bash.
# Defines say, note, fail, jobs, cmake_generator, need_packages, source_files and
# the package lists.

# What a build needs, what the examples and the demo add, what the tests and the
# study of accuracy add.
# In `a|b` either will do, and the first is what gets installed. Used by the
# scripts that source this file.
# shellcheck disable=SC2034
{
    packages_build=(g++ cmake ninja-build\|make pkgconf\|pkg-config git
        libdnnl-dev libopenblas-openmp-dev libfmt-dev)
    packages_examples=(libcli11-dev zlib1g-dev nlohmann-json3-dev dataset-fashion-mnist)
    packages_tests=(catch2 libbenchmark-dev python3)
    packages_study=(libbenchmark-dev python3 python3-matplotlib)
}

say() { printf '\n== %s\n' "$*"; }
note() { printf '   %s\n' "$*"; }
fail() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# Parallel jobs: XCONV_JOBS, or one for each processor.
jobs() { echo "${XCONV_JOBS:-$(nproc 2>/dev/null || echo 2)}"; }

# The generator for a new build folder: Ninja where it is installed.
cmake_generator() {
    if command -v ninja >/dev/null; then echo Ninja; else echo 'Unix Makefiles'; fi
}

package_installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# packages_missing <package>...: print those that are not installed.
packages_missing() {
    local wanted choice choices
    for wanted in "$@"; do
        IFS='|' read -ra choices <<<"$wanted"
        for choice in "${choices[@]}"; do
            package_installed "$choice" && continue 2
        done
        echo "${choices[0]}"
    done
}

# need_packages <package>...: install what is missing. When that cannot be done,
# say which packages are missing and why, and return 1.
need_packages() {
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        note "not a Debian or Ubuntu system; these have to be installed by hand: $*"
        return 1
    fi
    local missing as_root=()
    mapfile -t missing < <(packages_missing "$@")
    [ ${#missing[@]} -eq 0 ] && return 0
    if [ "$(id -u)" -ne 0 ]; then
        # sudo may ask for a password only where somebody can answer.
        if ! command -v sudo >/dev/null || { [ ! -t 0 ] && ! sudo -n true 2>/dev/null; }; then
            note "missing packages, and neither root nor sudo to install them: ${missing[*]}"
            return 1
        fi
        as_root=(sudo)
    fi
    note "installing: ${missing[*]}"
    local package install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive
        apt-get install -y -qq --no-install-recommends)
    # An up-to-date index is asked for only when the one at hand does not do.
    "${install[@]}" "${missing[@]}" >/dev/null 2>&1 && return 0
    "${as_root[@]}" apt-get update -qq || note 'apt-get update failed'
    "${install[@]}" "${missing[@]}" >/dev/null 2>&1 && return 0
    # A package that is not to be had must not keep the others out.
    for package in "${missing[@]}"; do
        "${install[@]}" "$package" >/dev/null || note "apt-get could not install $package"
    done
    mapfile -t missing < <(packages_missing "$@")
    [ ${#missing[@]} -eq 0 ]
}

# source_files: every C and C++ file of the project, one per line.
source_files() {
    local kinds=('*.c' '*.h' '*.cpp' '*.hpp' '*.cu' '*.cuh')
    if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git ls-files --cached --others --exclude-standard -- "${kinds[@]}"
    else
        find . -path ./build -prune -o -type f -regex '.*\.\(c\|h\|cpp\|hpp\|cu\|cuh\)' -print
    fi
}
