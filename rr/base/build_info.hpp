// What this program was built from: the same words in --version, the control API and heliograph_build_info.
#pragma once
#include <string_view>

namespace helio {

struct BuildInfo {
  std::string_view version;    // "0.1.0"
  std::string_view commit;     // short hash, or "unknown" outside a checkout
  std::string_view compiler;   // "gcc 12.2.0"
  std::string_view allocator;  // "jemalloc" | "libc"
};
const BuildInfo& build_info();

}  // namespace helio
