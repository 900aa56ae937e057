#include "rr/wire/message.hpp"

#include <algorithm>

#include "rr/base/check.hpp"

namespace helio::wire {
namespace {

constexpr std::size_t kMarkerSize = 16;

Notification header_error(std::uint8_t subcode, Bytes data) {
  return {static_cast<std::uint8_t>(ErrorCode::message_header), subcode, {data.begin(), data.end()}};
}

// RFC 4271 §6.1: the least and the most octets of each type; zero as the least marks an unknown type.
struct LengthRule {
  std::size_t least;
  std::size_t most;
};
LengthRule length_rule(std::uint8_t type, std::size_t max_message) {
  switch (static_cast<MessageType>(type)) {
    case MessageType::open: return {29, kMaxMessage};  // RFC 8654 §4: OPEN is never extended
    case MessageType::update: return {23, max_message};
    case MessageType::notification: return {21, max_message};
    case MessageType::keepalive: return {kHeaderSize, kHeaderSize};
    case MessageType::route_refresh: return {kHeaderSize, max_message};  // its own error is 7/1 (RFC 7313 §5)
  }
  return {0, 0};
}

}  // namespace

std::string_view message_type_name(MessageType type) {
  switch (type) {
    case MessageType::open: return "OPEN";
    case MessageType::update: return "UPDATE";
    case MessageType::notification: return "NOTIFICATION";
    case MessageType::keepalive: return "KEEPALIVE";
    case MessageType::route_refresh: return "ROUTE-REFRESH";
  }
  return "unknown";
}

Result<std::optional<Frame>, Notification> next_frame(Bytes buffer, std::size_t max_message) {
  std::size_t marker = std::min(buffer.size(), kMarkerSize);
  if (!std::all_of(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(marker), [](auto b) { return b == 0xff; }))
    return Unexpected(header_error(1, {}));
  if (buffer.size() < kHeaderSize) return std::nullopt;

  std::size_t length = load_be16(buffer.data() + kMarkerSize);
  Bytes length_field = buffer.subspan(kMarkerSize, 2);
  if (length < kHeaderSize || length > max_message) return Unexpected(header_error(2, length_field));
  std::uint8_t type = buffer[kMarkerSize + 2];
  LengthRule rule = length_rule(type, max_message);
  if (rule.least == 0) return Unexpected(header_error(3, buffer.subspan(kMarkerSize + 2, 1)));
  if (length < rule.least || length > rule.most) return Unexpected(header_error(2, length_field));
  if (buffer.size() < length) return std::nullopt;
  return Frame{static_cast<MessageType>(type), buffer.first(length)};
}

std::size_t begin_message(std::vector<std::uint8_t>& out, MessageType type) {
  std::size_t start = out.size();
  ByteWriter writer(out);
  writer.fill(kMarkerSize, 0xff);
  writer.u16(0);
  writer.u8(static_cast<std::uint8_t>(type));
  return start;
}

void end_message(std::vector<std::uint8_t>& out, std::size_t start) {
  std::size_t length = out.size() - start;
  HELIO_CHECK(length >= kHeaderSize && length <= kMaxExtendedMessage, "message length");
  store_be16(out.data() + start + kMarkerSize, static_cast<std::uint16_t>(length));
}

void encode_keepalive(std::vector<std::uint8_t>& out) { end_message(out, begin_message(out, MessageType::keepalive)); }

}  // namespace helio::wire
