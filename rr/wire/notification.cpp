// NOTIFICATION: codec and the text that logs and CLI show. The text is built from hostile bytes: everything
// unprintable is escaped, and data is cut.
#include "rr/wire/notification.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "rr/wire/message.hpp"

namespace helio::wire {
namespace {

struct Name {
  std::uint8_t code;
  std::uint8_t subcode;  // 0: the name of the code itself
  const char* text;
};
constexpr Name kNames[] = {
    {1, 0, "Message Header Error"},
    {1, 1, "Connection Not Synchronized"},
    {1, 2, "Bad Message Length"},
    {1, 3, "Bad Message Type"},
    {2, 0, "OPEN Message Error"},
    {2, 1, "Unsupported Version Number"},
    {2, 2, "Bad Peer AS"},
    {2, 3, "Bad BGP Identifier"},
    {2, 4, "Unsupported Optional Parameter"},
    {2, 5, "Authentication Failure"},
    {2, 6, "Unacceptable Hold Time"},
    {2, 7, "Unsupported Capability"},
    {2, 11, "Role Mismatch"},
    {3, 0, "UPDATE Message Error"},
    {3, 1, "Malformed Attribute List"},
    {3, 2, "Unrecognized Well-known Attribute"},
    {3, 3, "Missing Well-known Attribute"},
    {3, 4, "Attribute Flags Error"},
    {3, 5, "Attribute Length Error"},
    {3, 6, "Invalid ORIGIN Attribute"},
    {3, 7, "AS Routing Loop"},
    {3, 8, "Invalid NEXT_HOP Attribute"},
    {3, 9, "Optional Attribute Error"},
    {3, 10, "Invalid Network Field"},
    {3, 11, "Malformed AS_PATH"},
    {4, 0, "Hold Timer Expired"},
    {5, 0, "Finite State Machine Error"},
    {5, 1, "Unexpected Message in OpenSent"},
    {5, 2, "Unexpected Message in OpenConfirm"},
    {5, 3, "Unexpected Message in Established"},
    {6, 0, "Cease"},
    {6, cease::max_prefixes, "Maximum Number of Prefixes Reached"},
    {6, cease::administrative_shutdown, "Administrative Shutdown"},
    {6, cease::peer_deconfigured, "Peer De-configured"},
    {6, cease::administrative_reset, "Administrative Reset"},
    {6, cease::connection_rejected, "Connection Rejected"},
    {6, cease::other_configuration_change, "Other Configuration Change"},
    {6, cease::collision, "Connection Collision Resolution"},
    {6, cease::out_of_resources, "Out of Resources"},
    {6, cease::hard_reset, "Hard Reset"},
    {6, cease::bfd_down, "BFD Down"},
    {7, 0, "ROUTE-REFRESH Message Error"},
    {7, 1, "Invalid Message Length"},
    {8, 0, "Send Hold Timer Expired"},
};

const char* name_of(std::uint8_t code, std::uint8_t subcode) {
  for (const Name& name : kNames)
    if (name.code == code && name.subcode == subcode) return name.text;
  return nullptr;
}

// Length of the well-formed UTF-8 sequence at `at`, or 0. Overlong forms, surrogates and C1 controls count as ill-formed.
std::size_t utf8_sequence(Bytes text, std::size_t at) {
  std::uint8_t lead = text[at];
  std::size_t length = lead < 0x80 ? 1 : lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
  if (length == 0 || at + length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((text[at + i] & 0xc0) != 0x80) return 0;
  if (length == 1) return 1;
  std::uint8_t second = text[at + 1];
  if ((lead == 0xc2 && second < 0xa0) || (lead == 0xe0 && second < 0xa0) || (lead == 0xed && second >= 0xa0) ||
      (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second >= 0x90))
    return 0;
  return length;
}

std::string escape(Bytes text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t length = text[i] < 0x80 ? 1 : utf8_sequence(text, i);
    if (text[i] == '\\') {
      out += "\\\\";
    } else if (length == 0 || text[i] < 0x20 || text[i] == 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", text[i]);
      length = 1;
    } else {
      out.append(reinterpret_cast<const char*>(text.data()) + i, length);
    }
    i += length;
  }
  return out;
}

std::string shortened_hex(Bytes data) {
  constexpr std::size_t kShown = 32;
  std::string out = "0x";
  for (std::size_t i = 0; i < std::min(data.size(), kShown); ++i) fmt::format_to(std::back_inserter(out), "{:02x}", data[i]);
  if (data.size() > kShown) fmt::format_to(std::back_inserter(out), "... ({} octets)", data.size());
  return out;
}

std::string format_parts(std::uint8_t code, std::uint8_t subcode, Bytes data) {
  const char* code_name = name_of(code, 0);
  std::string out = code_name ? code_name : fmt::format("code {}", code);
  if (subcode != 0) {
    const char* subcode_name = name_of(code, subcode);
    out += subcode_name ? fmt::format("/{}", subcode_name) : fmt::format("/subcode {}", subcode);
  }
  if (data.empty()) return out;
  if (code == static_cast<std::uint8_t>(ErrorCode::cease)) {
    // RFC 9003 §2: a length octet and that many octets of UTF-8.
    bool communicates = subcode == cease::administrative_shutdown || subcode == cease::administrative_reset;
    if (communicates && data[0] == data.size() - 1) return data[0] == 0 ? out : out + ": " + escape(data.subspan(1));
    // RFC 4486 §4: AFI, SAFI and the upper bound.
    if (subcode == cease::max_prefixes && data.size() == 7)
      return out + fmt::format(": AFI {} SAFI {} limit {}", load_be16(data.data()), data[2], load_be32(data.data() + 3));
    // RFC 8538 §3.1: the encapsulated NOTIFICATION. Not nested further.
    if (subcode == cease::hard_reset && data.size() >= 2 && !(data[0] == code && data[1] == subcode))
      return out + " (" + format_parts(data[0], data[1], data.subspan(2)) + ")";
  }
  return out + ": data " + shortened_hex(data);
}

}  // namespace

Result<Notification, Notification> decode_notification(Bytes body) {
  if (body.size() < 2) {
    std::uint8_t length[2];
    store_be16(length, static_cast<std::uint16_t>(kHeaderSize + body.size()));
    return Unexpected(Notification{static_cast<std::uint8_t>(ErrorCode::message_header), 2, {length[0], length[1]}});
  }
  return Notification{body[0], body[1], {body.begin() + 2, body.end()}};
}

void encode_notification(std::vector<std::uint8_t>& out, const Notification& notification) {
  std::size_t start = begin_message(out, MessageType::notification);
  ByteWriter writer(out);
  writer.u8(notification.code);
  writer.u8(notification.subcode);
  // Data quotes what the neighbour sent; cut so that the message stays within what every speaker takes.
  Bytes data(notification.data);
  writer.bytes(data.first(std::min(data.size(), kMaxMessage - kHeaderSize - 2)));
  end_message(out, start);
}

Notification make_cease(std::uint8_t subcode, std::string_view text) {
  Notification notification{static_cast<std::uint8_t>(ErrorCode::cease), subcode, {}};
  if (text.empty()) return notification;
  std::size_t length = std::min<std::size_t>(text.size(), 255);
  while (length < text.size() && length > 0 && (static_cast<std::uint8_t>(text[length]) & 0xc0) == 0x80) --length;
  notification.data.resize(1 + length);
  notification.data[0] = static_cast<std::uint8_t>(length);
  std::copy_n(text.begin(), length, notification.data.begin() + 1);
  return notification;
}

Notification make_hard_reset(const Notification& inner) {
  Notification out{static_cast<std::uint8_t>(ErrorCode::cease), cease::hard_reset, {inner.code, inner.subcode}};
  out.data.insert(out.data.end(), inner.data.begin(), inner.data.end());
  return out;
}

std::string format_notification(const Notification& notification) {
  return format_parts(notification.code, notification.subcode, notification.data);
}

}  // namespace helio::wire
