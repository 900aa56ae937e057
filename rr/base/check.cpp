#include "rr/base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace helio {

void check_failed(const char* condition, const char* file, int line, const char* message) {
  std::fprintf(stderr, "heliograph: broken invariant at %s:%d: %s (%s)\n", file, line, message, condition);
  std::abort();
}

}  // namespace helio
