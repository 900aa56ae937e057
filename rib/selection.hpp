// Selection: which paths of a prefix the peers of an encoding class are sent. The rule is the best one; ADD-PATH
// (RFC 7911) takes several, and non-clients can be given the best path that they may be sent (best external).
#pragma once
#include <cstdint>

namespace helio::rib {

struct Selection {
  static constexpr std::uint8_t kAll = 255;
  std::uint8_t count = 1;          // the n best; kAll: every eligible path
  bool with_path_ids = false;      // RFC 7911: NLRIs carry a path id
  bool reflectable = false;        // only paths that do not come from iBGP non-clients (RFC 4456 §6)
  bool operator==(const Selection&) const = default;
  // The best path, as it stands first in the RIB.
  bool is_plain() const { return *this == Selection{}; }
};

}  // namespace helio::rib
