// The framer against a naive one that sees the whole stream, fed whole and in pieces; NOTIFICATION and ROUTE-REFRESH
// bodies of the frames go through their codecs. First octet: bit 0 extended messages, the rest how pieces are cut.
#include <algorithm>
#include <utility>

#include "rr/wire/message.hpp"
#include "rr/wire/route_refresh.hpp"
#include "tests/fuzz/fuzz_input.hpp"

namespace helio::fuzz {
namespace {

using namespace wire;

struct Outcome {
  std::vector<std::pair<std::size_t, std::size_t>> frames;  // offset and length
  int error_subcode = 0;
  bool operator==(const Outcome&) const = default;
};

Outcome naive(Bytes stream, std::size_t max_message) {
  Outcome out;
  std::size_t at = 0;
  for (;;) {
    std::size_t left = stream.size() - at;
    for (std::size_t i = 0; i < 16 && i < left; ++i)
      if (stream[at + i] != 0xff) {
        out.error_subcode = 1;
        return out;
      }
    if (left < 19) return out;
    std::size_t length = stream[at + 16] * 256u + stream[at + 17];
    unsigned type = stream[at + 18];
    static constexpr std::size_t kLeast[] = {0, 29, 23, 21, 19, 19};
    bool known = type >= 1 && type <= 5;
    std::size_t most = type == 4 ? 19 : type == 1 ? 4096 : max_message;
    if (length < 19 || length > max_message || (known && (length < kLeast[type] || length > most))) {
      out.error_subcode = 2;
      return out;
    }
    if (!known) {
      out.error_subcode = 3;
      return out;
    }
    if (left < length) return out;
    out.frames.emplace_back(at, length);
    at += length;
  }
}

// What a session sees that gets the stream in pieces of `piece` octets.
Outcome framed(Bytes stream, std::size_t max_message, std::size_t piece) {
  Outcome out;
  std::size_t begin = 0, end = 0;
  for (;;) {
    auto frame = next_frame(stream.subspan(begin, end - begin), max_message);
    if (!frame) {
      out.error_subcode = frame.error().subcode;
      return out;
    }
    if (*frame) {
      out.frames.emplace_back(begin, (*frame)->message.size());
      begin += (*frame)->message.size();
    } else if (end == stream.size()) {
      return out;
    } else {
      end = std::min(stream.size(), end + piece);
    }
  }
}

void decode_frame(Bytes message) {
  Bytes body = message.subspan(kHeaderSize);
  std::vector<std::uint8_t> out;
  if (message[18] == 3) {
    auto notification = decode_notification(body);
    HELIO_CHECK(notification, "the framer lets no short NOTIFICATION through");
    HELIO_CHECK(!format_notification(*notification).empty(), "text");
    encode_notification(out, *notification);
    if (message.size() <= kMaxMessage) HELIO_CHECK(same(out, message), "NOTIFICATION both ways");
  } else if (message[18] == 5) {
    auto refresh = decode_route_refresh(message);
    if (!refresh) return;
    auto family = family_of(refresh->family);
    if (!family || refresh->subtype > 2 || refresh->has_filters) return;
    encode_route_refresh(out, *family, static_cast<RouteRefresh::Subtype>(refresh->subtype));
    HELIO_CHECK(same(out, message), "ROUTE-REFRESH both ways");
  }
}

}  // namespace
}  // namespace helio::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace helio::fuzz;
  Input input(data, size);
  std::size_t max_message = input.option(0) ? helio::wire::kMaxExtendedMessage : helio::wire::kMaxMessage;
  Outcome expected = naive(input.rest, max_message);
  HELIO_CHECK(framed(input.rest, max_message, input.rest.size() + 1) == expected, "whole stream");
  HELIO_CHECK(framed(input.rest, max_message, 1 + (input.options >> 1)) == expected, "stream in pieces");
  for (auto [at, length] : expected.frames) decode_frame(input.rest.subspan(at, length));
  return 0;
}
