// Message framing (RFC 4271 §4.1, §6.1; RFC 8654): from a byte stream to whole messages, and headers the other way.
// Pure: the session owns the buffer, asks for the next frame and drops what it used.
#pragma once
#include <optional>

#include "rr/base/result.hpp"
#include "rr/wire/notification.hpp"

namespace helio::wire {

inline constexpr std::size_t kHeaderSize = 19;
inline constexpr std::size_t kMaxMessage = 4096;
inline constexpr std::size_t kMaxExtendedMessage = 65535;  // RFC 8654; OPEN and KEEPALIVE stay at 4096

enum class MessageType : std::uint8_t { open = 1, update = 2, notification = 3, keepalive = 4, route_refresh = 5 };
std::string_view message_type_name(MessageType type);

struct Frame {
  MessageType type = MessageType::keepalive;
  Bytes message;  // with the header
  Bytes body() const { return message.subspan(kHeaderSize); }
};

// The frame at the start of `buffer`; nullopt: more octets are needed. Errors are known as soon as the octet at fault
// is there: 1/1 (marker), 1/2 with the length field as data, 1/3 with the type as data.
// `max_message` is the limit for what the neighbour may send: kMaxMessage, or kMaxExtendedMessage when negotiated.
Result<std::optional<Frame>, Notification> next_frame(Bytes buffer, std::size_t max_message);

// Appends a header with a length to be filled in; returns where the message starts, for end_message.
std::size_t begin_message(std::vector<std::uint8_t>& out, MessageType type);
// Fills in the length of the message that started at `start` and goes to the end of `out`.
void end_message(std::vector<std::uint8_t>& out, std::size_t start);
void encode_keepalive(std::vector<std::uint8_t>& out);

}  // namespace helio::wire
