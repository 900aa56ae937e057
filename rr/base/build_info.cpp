#include "rr/base/build_info.hpp"

// HELIO_VERSION and HELIO_COMMIT are given to this file alone by CMake.
#define HELIO_TEXT(x) HELIO_TEXT_(x)
#define HELIO_TEXT_(x) #x

namespace helio {

const BuildInfo& build_info() {
  static constexpr BuildInfo kInfo{
      HELIO_VERSION, HELIO_COMMIT,
#ifdef __clang__
      "clang " HELIO_TEXT(__clang_major__) "." HELIO_TEXT(__clang_minor__),
#else
      "gcc " HELIO_TEXT(__GNUC__) "." HELIO_TEXT(__GNUC_MINOR__),
#endif
#ifdef HELIO_HAVE_JEMALLOC
      "jemalloc",
#else
      "libc",
#endif
  };
  return kInfo;
}

}  // namespace helio
