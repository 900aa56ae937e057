// EVPN entries: what is key and what goes with the path (RFC 7432 §7, RFC 9136 §3.1, RFC 9251 §9), framing, text.
#include "rr/wire/evpn_nlri.hpp"

#include <gtest/gtest.h>

#include "rr/wire/update.hpp"
#include "tests/unit/wire/hex.hpp"

namespace helio::wire {
namespace {

using test::hex;
using test::Octets;
using test::to_hex;

const char kRd[] = "0000fde800000065", kEsi[] = "00112233445566778899", kNoEsi[] = "00000000000000000000", kTag[] = "00000007";
const char kIp4[] = "c0000201", kIp6[] = "20010db8000000000000000000000001";

std::string entry(unsigned type, std::string body) {
  std::string out = to_hex(Octets{static_cast<std::uint8_t>(type), static_cast<std::uint8_t>(body.size() / 2)});
  return out + body;
}

struct EvpnRow {
  const char* what;
  unsigned type;
  std::string body;             // behind type and length
  std::string key, front, tail; // expected
  std::string withdrawal;       // the body of a withdrawal of the same key
};

std::vector<EvpnRow> evpn_rows() {
  std::string rd = kRd, esi = kEsi, none = kNoEsi, tag = kTag, ip4 = kIp4, ip6 = kIp6, mac = "00005e005301";
  return {
      {"7.1 Ethernet auto-discovery", 1, rd + esi + tag + "000641", esi + tag, "", "000641", rd + esi + tag + "000000"},
      {"7.2 MAC alone", 2, rd + esi + tag + "30" + mac + "00" + "000641", tag + "30" + mac + "00", esi, "000641", rd + none + tag + "30" + mac + "00" + "000000"},
      {"7.2 MAC and IPv4", 2, rd + esi + tag + "30" + mac + "20" + ip4 + "000641", tag + "30" + mac + "20" + ip4, esi, "000641", rd + none + tag + "30" + mac + "20" + ip4 + "000000"},
      {"7.2 two labels", 2, rd + esi + tag + "30" + mac + "80" + ip6 + "000641000651", tag + "30" + mac + "80" + ip6, esi, "000641000651",
       rd + none + tag + "30" + mac + "80" + ip6 + "000000"},
      {"7.3 inclusive multicast, IPv4", 3, rd + tag + "20" + ip4, tag + "20" + ip4, "", "", rd + tag + "20" + ip4},
      {"7.3 inclusive multicast, IPv6", 3, rd + tag + "80" + ip6, tag + "80" + ip6, "", "", rd + tag + "80" + ip6},
      {"7.4 Ethernet segment", 4, rd + esi + "20" + ip4, esi + "20" + ip4, "", "", rd + esi + "20" + ip4},
      {"9136 3.1 IPv4 prefix", 5, rd + esi + tag + "18" + "0a000000" + "0a0000fe" + "000641", tag + "18" + "0a000000", esi, "0a0000fe000641",
       rd + none + tag + "18" + "0a000000" + "00000000" + "000000"},
      {"9136 3.1 IPv6 prefix", 5, rd + esi + tag + "40" + ip6 + ip6 + "000641", tag + "40" + ip6, esi, ip6 + "000641",
       rd + none + tag + "40" + ip6 + std::string(32, '0') + "000000"},
      {"9251 9.1 (*, G)", 6, rd + tag + "00" + "20" + "e0000116" + "20" + ip4 + "02", tag + "00" + "20" + "e0000116" + "20" + ip4, "", "02",
       rd + tag + "00" + "20" + "e0000116" + "20" + ip4 + "00"},
      {"9251 9.2", 7, rd + esi + tag + "20" + ip4 + "20" + "e0000116" + "20" + ip4 + "02", esi + tag + "20" + ip4 + "20" + "e0000116" + "20" + ip4, "", "02",
       rd + esi + tag + "20" + ip4 + "20" + "e0000116" + "20" + ip4 + "00"},
      {"9251 9.3", 8, rd + esi + tag + "00" + "80" + ip6 + "80" + ip6 + "000000000a02", esi + tag + "00" + "80" + ip6 + "80" + ip6, "", "000000000a02",
       rd + esi + tag + "00" + "80" + ip6 + "80" + ip6 + "000000000000"},
      {"multicast of another make: all key", 6, rd + tag + "0102030405", tag + "0102030405", "", "", rd + tag + "0102030405"},
  };
}

EvpnNlri only(const Octets& bytes, const char* what) {
  EvpnNlriReader reader(bytes);
  EvpnNlri n;
  EXPECT_EQ(reader.next(n), NlriStatus::ok) << what;
  EvpnNlri more;
  EXPECT_EQ(reader.next(more), NlriStatus::end) << what;
  return n;
}

TEST(EvpnNlri, KeyAndPayloadBothWays) {
  for (const EvpnRow& row : evpn_rows()) {
    Octets bytes = hex(entry(row.type, row.body));
    EvpnNlri n = only(bytes, row.what);
    EXPECT_EQ(n.type, row.type) << row.what;
    EXPECT_TRUE(n.has_rd) << row.what;
    EXPECT_EQ(format_rd(n.rd), "65000:101") << row.what;
    EXPECT_EQ(to_hex(n.key), row.key) << row.what;
    EXPECT_EQ(to_hex(n.front), row.front) << row.what;
    EXPECT_EQ(to_hex(n.tail), row.tail) << row.what;
    Octets payload = hex(row.front + row.tail);
    Octets made(evpn_entry_size(true, n.key.size(), payload.size()));
    write_evpn_nlri(made.data(), n.type, n.rd, n.key, payload);
    EXPECT_EQ(to_hex(made), to_hex(bytes)) << row.what;
    Octets zeros(n.withdrawn_payload);
    Octets withdrawal(evpn_entry_size(true, n.key.size(), zeros.size()));
    write_evpn_nlri(withdrawal.data(), n.type, n.rd, n.key, zeros);
    EXPECT_EQ(to_hex(withdrawal), entry(row.type, row.withdrawal)) << row.what;
    EXPECT_EQ(to_hex(only(withdrawal, row.what).key), row.key) << row.what;
  }
}

// RFC 7606 §5.4 and its deviation: an unknown type is a key as a whole and has no RD that we could know of.
TEST(EvpnNlri, UnknownTypesAreKeys) {
  for (const char* body : {"", "00", "0000fde80000006501020304050607"}) {
    Octets bytes = hex(entry(11, body));
    EvpnNlri n = only(bytes, body);
    EXPECT_FALSE(n.has_rd);
    EXPECT_EQ(to_hex(n.key), body);
    EXPECT_TRUE(n.front.empty() && n.tail.empty());
    Octets made(evpn_entry_size(false, n.key.size(), 0));
    write_evpn_nlri(made.data(), n.type, std::nullopt, n.key, {});
    EXPECT_EQ(to_hex(made), to_hex(bytes));
  }
}

TEST(EvpnNlri, SeveralInARow) {
  std::string text;
  for (const EvpnRow& row : evpn_rows()) text += entry(row.type, row.body);
  Octets bytes = hex(text + entry(200, "01"));
  EvpnNlriReader reader(bytes);
  EvpnNlri n;
  std::size_t count = 0;
  NlriStatus status;
  while ((status = reader.next(n)) == NlriStatus::ok) ++count;
  EXPECT_EQ(status, NlriStatus::end);
  EXPECT_EQ(count, evpn_rows().size() + 1);
}

// RFC 7606 §5.3: what cannot be located or is not what its type says.
TEST(EvpnNlri, Malformed) {
  std::string rd = kRd, esi = kEsi, tag = kTag, ip4 = kIp4, mac = "00005e005301";
  for (const std::string& text : {
           std::string("02"),                                                               // no length
           std::string("0221") + rd,                                                        // beyond the end
           entry(1, rd + esi + tag), entry(1, rd + esi + tag + "00064100"),                 // no label; an octet more
           entry(2, rd + esi + tag + "30" + mac), entry(2, rd + esi + tag + "28" + mac + "00" + "000641"),  // cut; MAC of 40 bits
           entry(2, rd + esi + tag + "30" + mac + "18" + "0a0000" + "000641"),              // IP of 24 bits
           entry(2, rd + esi + tag + "30" + mac + "20" + ip4 + "0641"), entry(2, rd + esi + tag + "30" + mac + "20" + ip4),
           entry(2, rd + esi + tag + "30" + mac + "20" + ip4 + "000641000641000641"),
           entry(3, rd + tag + "18" + "0a0000"), entry(3, rd + tag + "20" + ip4 + "00"), entry(3, rd + tag),
           entry(4, rd + esi), entry(4, rd + esi + "20" + "c00002"),
           entry(5, rd + esi + tag + "21" + ip4 + ip4 + "000641"), entry(5, rd + esi + tag + "18" + ip4 + "000641"),
           entry(6, "00"), entry(7, "0000fde8000000"),
       }) {
    Octets bytes = hex(text);
    EvpnNlriReader reader(bytes);
    EvpnNlri n;
    EXPECT_EQ(reader.next(n), NlriStatus::malformed) << text;
  }
}

TEST(EvpnNlri, Text) {
  auto text = [](unsigned type, const std::string& body) {
    Octets bytes = hex(entry(type, body));
    EvpnNlri n = only(bytes, body.c_str());
    Octets payload(n.front.begin(), n.front.end());
    payload.insert(payload.end(), n.tail.begin(), n.tail.end());
    std::string out = format_evpn_key(n.type, n.key) + " " + format_evpn_payload(n.type, n.key, payload);
    for (std::uint32_t label : evpn_labels(n.type, payload)) out += " " + std::to_string(label);
    return out;
  };
  std::string rd = kRd, esi = kEsi, tag = kTag, ip4 = kIp4, mac = "00005e005301";
  EXPECT_EQ(text(1, rd + esi + tag + "000641"), "[1]:[7]:[00:11:22:33:44:55:66:77:88:99]  100");
  EXPECT_EQ(text(2, rd + esi + tag + "30" + mac + "00" + "000641"), "[2]:[7]:[48]:[00:00:5e:00:53:01] esi 00:11:22:33:44:55:66:77:88:99 100");
  EXPECT_EQ(text(2, rd + esi + tag + "30" + mac + "20" + ip4 + "000641000651"),
            "[2]:[7]:[48]:[00:00:5e:00:53:01]:[32]:[192.0.2.1] esi 00:11:22:33:44:55:66:77:88:99 100 101");
  EXPECT_EQ(text(3, rd + tag + "20" + ip4), "[3]:[7]:[32]:[192.0.2.1] ");
  EXPECT_EQ(text(4, rd + esi + "80" + kIp6), "[4]:[00:11:22:33:44:55:66:77:88:99]:[128]:[2001:db8::1] ");
  EXPECT_EQ(text(5, rd + esi + tag + "18" + "0a000000" + "0a0000fe" + "000641"), "[5]:[7]:[24]:[10.0.0.0] esi 00:11:22:33:44:55:66:77:88:99 gateway 10.0.0.254 100");
  EXPECT_EQ(text(11, "0102"), "[11]:[0x0102] ");
}

// RFC 4760 §7, RFC 7606 §5.3, §7.11: the family that cannot be read, and next hops of 4 or 16 octets without RD.
TEST(EvpnNlri, InUpdates) {
  UpdateContext context;
  context.families.insert(Family::evpn);
  context.disable_family_on_error = true;
  auto update = [&](const std::string& next_hop, const std::string& nlri) {
    std::string base = "40010100" "400200" "40050400000064";
    unsigned size = static_cast<unsigned>((next_hop.size() + nlri.size()) / 2 + 5);
    std::string reach = "900e" + to_hex(Octets{static_cast<std::uint8_t>(size >> 8), static_cast<std::uint8_t>(size)}) + "001946" +
                        to_hex(Octets{static_cast<std::uint8_t>(next_hop.size() / 2)}) + next_hop + "00" + nlri;
    unsigned length = static_cast<unsigned>((reach.size() + base.size()) / 2);
    return hex("0000" + to_hex(Octets{static_cast<std::uint8_t>(length >> 8), static_cast<std::uint8_t>(length)}) + reach + base);
  };
  std::string good = entry(3, std::string(kRd) + kTag + "20" + kIp4);
  for (const std::string& next_hop : {std::string("0a000001"), std::string(kIp6)}) {
    Octets body = update(next_hop, good);
    auto view = decode_update(body, context);
    ASSERT_TRUE(view && view->reach);
    EXPECT_EQ(view->reach->family, Family::evpn);
    EXPECT_EQ(to_hex(view->reach->next_hop), next_hop);
    EXPECT_EQ(view->error_count, 0u);
  }
  for (Octets body : {update("00000000000000000a000001", good), update("0a000001", good + "0203aabb"), update("0a000001", entry(1, kRd))}) {
    auto view = decode_update(body, context);
    ASSERT_TRUE(view);
    EXPECT_TRUE(view->disabled.contains(Family::evpn));
    EXPECT_FALSE(view->reach);
    context.disable_family_on_error = false;
    EXPECT_FALSE(decode_update(body, context));
    context.disable_family_on_error = true;
  }
  Octets end = hex("0000" "0006" "800f03" "001946");
  EXPECT_EQ(decode_update(end, context)->end_of_rib, Family::evpn);
}

}  // namespace
}  // namespace helio::wire
