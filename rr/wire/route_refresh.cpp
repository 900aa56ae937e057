#include "rr/wire/route_refresh.hpp"

namespace helio::wire {

Result<RouteRefresh, Notification> decode_route_refresh(Bytes message) {
  constexpr std::size_t kBodySize = 4;
  auto bad_length = [&] {
    return Unexpected(Notification{static_cast<std::uint8_t>(ErrorCode::route_refresh), 1, {message.begin(), message.end()}});
  };
  if (message.size() < kHeaderSize + kBodySize) return bad_length();
  Bytes body = message.subspan(kHeaderSize);
  RouteRefresh refresh;
  refresh.family = {load_be16(body.data()), body[3]};
  refresh.subtype = body[2];
  // RFC 7313 §5: BoRR and EoRR have no room for anything else. RFC 5291 §5: a request may carry ORF entries.
  bool is_marker = refresh.subtype == 1 || refresh.subtype == 2;
  if (is_marker && body.size() != kBodySize) return bad_length();
  refresh.has_filters = body.size() > kBodySize;
  return refresh;
}

void encode_route_refresh(std::vector<std::uint8_t>& out, Family family, RouteRefresh::Subtype subtype) {
  std::size_t start = begin_message(out, MessageType::route_refresh);
  ByteWriter writer(out);
  AfiSafi code = afi_safi(family);
  writer.u16(code.afi);
  writer.u8(static_cast<std::uint8_t>(subtype));
  writer.u8(code.safi);
  end_message(out, start);
}

}  // namespace helio::wire
