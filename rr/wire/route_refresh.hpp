// ROUTE-REFRESH (RFC 2918) with the subtypes of enhanced route refresh (RFC 7313), both ways.
#pragma once
#include "rr/base/result.hpp"
#include "rr/wire/message.hpp"
#include "rr/wire/types.hpp"

namespace helio::wire {

struct RouteRefresh {
  enum class Subtype : std::uint8_t { request = 0, begin = 1, end = 2 };  // BoRR and EoRR
  AfiSafi family;
  // As received: other values than Subtype's are to be ignored (RFC 7313 §3.2).
  std::uint8_t subtype = 0;
  // Outbound route filters (RFC 5291) came along. We never offer them; the entries are not read and the message counts
  // as a plain request.
  bool has_filters = false;
  bool operator==(const RouteRefresh&) const = default;
};

// `message` is the whole message: it is the data of the error 7/1 (RFC 7313 §5).
Result<RouteRefresh, Notification> decode_route_refresh(Bytes message);
void encode_route_refresh(std::vector<std::uint8_t>& out, Family family, RouteRefresh::Subtype subtype);

}  // namespace helio::wire
