// Packer: what stands in a batch, read back with decode_update. Sizes, order, and segments that cover it exactly.
#include "rib/packer.hpp"

#include <gmock/gmock.h>

#include <set>

#include "rr/wire/message.hpp"
#include "tests/unit/rib/rib_fixture.hpp"

namespace helio::rib::test {
namespace {

struct Read {
  std::uint32_t begin, end;  // of the message in the batch
  bool announcement = false;
  std::vector<std::string> prefixes;  // "rd 10.0.0.0/24 label"
  std::vector<std::uint8_t> attributes;  // types in order, MP_REACH and MP_UNREACH included
};

class PackerTest : public RibFixture {
 protected:
  BatchRef pack(const EncodingClass& encoding = {}) {
    Packer packer(shared.attributes);
    packer.sort(rib.log());
    return packer.pack(rib.log(), wire::Family::vpnv4, encoding, retained);
  }

  // Decodes every message and checks what holds for all of them.
  static std::vector<Read> read(const Batch& batch, std::size_t max_message = wire::kMaxMessage) {
    std::vector<Read> out;
    wire::UpdateContext context;
    context.families.insert(wire::Family::vpnv4);
    for (std::uint32_t at = 0; at < batch.size();) {
      const std::uint8_t* p = batch.data() + at;
      for (int i = 0; i < 16; ++i) EXPECT_EQ(p[i], 0xff);
      std::uint32_t length = load_be16(p + 16);
      EXPECT_EQ(p[18], 2);
      EXPECT_LE(length, max_message);
      EXPECT_LE(at + length, batch.size());
      if (length < 23 || at + length > batch.size()) break;
      Read message{at, at + length};
      EXPECT_EQ(load_be16(p + 19), 0);
      for (Bytes rest(p + 23, length - 23); !rest.empty();) {
        bool extended = (rest[0] & 0x10) != 0;
        message.attributes.push_back(rest[1]);
        rest = rest.subspan(extended ? 4u + load_be16(rest.data() + 2) : 3u + rest[2]);
      }
      auto view = wire::decode_update(Bytes(p + 19, length - 19), context);
      EXPECT_TRUE(view.has_value());
      if (!view) break;
      EXPECT_EQ(view->error_count, 0u) << (view->error_count ? view->errors[0].reason : "");
      message.announcement = view->reach.has_value();
      EXPECT_NE(view->reach.has_value(), view->unreach.has_value());
      Bytes nlri = view->reach ? view->reach->nlri : view->unreach->nlri;
      wire::VpnNlriReader reader(nlri, false, !message.announcement, false);
      wire::VpnNlri n;
      while (reader.next(n) == wire::NlriStatus::ok) {
        wire::VpnPrefix prefix{n.rd, {}, n.length, false};
        std::copy(n.prefix, n.prefix + (n.length + 7) / 8, prefix.address.begin());
        message.prefixes.push_back(fmt::format("{} {} {:x}", wire::format_rd(n.rd), wire::format_prefix(prefix), load_be24(n.labels)));
      }
      out.push_back(message);
      at += length;
    }
    return out;
  }
  // Segments are in order, whole messages, without gap or overlap; shared_end parts the transitions from the rest.
  static void expect_segments_cover(const Batch& batch, const std::vector<Read>& messages) {
    std::set<std::uint32_t> borders{0};
    for (const Read& m : messages) borders.insert(m.end);
    std::uint32_t at = 0;
    for (const Segment& s : batch.segments) {
      EXPECT_EQ(s.begin, at);
      EXPECT_LT(s.begin, s.end);
      EXPECT_TRUE(borders.contains(s.end));
      bool is_transition = !s.is_announcement() && s.after != kNoId;
      EXPECT_EQ(is_transition, s.begin >= batch.shared_end);
      for (const Read& m : messages) {
        if (m.begin >= s.begin && m.begin < s.end) {
          EXPECT_EQ(m.announcement, s.is_announcement());
        }
      }
      at = s.end;
    }
    EXPECT_EQ(at, batch.size());
    EXPECT_TRUE(borders.contains(batch.shared_end));
    EXPECT_EQ(batch.updates, messages.size());
  }
  static std::vector<Route> many(std::uint32_t n, std::uint32_t from = 0x0a000000) {
    std::vector<Route> out;
    for (std::uint32_t i = 0; i < n; ++i) out.push_back({.address = from + (i << 8)});
    return out;
  }

  std::shared_ptr<RetainedBytes> retained = std::make_shared<RetainedBytes>();
};

// RFC 7606 §5.1: MP_REACH stands first.
TEST_F(PackerTest, OneRoute) {
  announce(a, {}, {{}});
  BatchRef batch = pack();
  auto messages = read(*batch.get());
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_THAT(messages[0].attributes, testing::ElementsAre(14, 1, 2, 4, 5, 16));
  EXPECT_THAT(messages[0].prefixes, testing::ElementsAre("65000:101 10.0.0.0/24 641"));
  expect_segments_cover(*batch.get(), messages);
  EXPECT_EQ(batch->shared_end, batch->size());
}

TEST_F(PackerTest, AFloodFillsItsMessages) {
  announce(a, {}, many(5000));
  BatchRef batch = pack();
  auto messages = read(*batch.get());
  expect_segments_cover(*batch.get(), messages);
  std::vector<std::string> all;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    all.insert(all.end(), messages[i].prefixes.begin(), messages[i].prefixes.end());
    if (i + 1 < messages.size()) {
      EXPECT_GT(messages[i].end - messages[i].begin, 4096u - 15u);  // no entry more fits
    }
  }
  EXPECT_EQ(all.size(), 5000u);
  EXPECT_EQ(all.front(), "65000:101 10.0.0.0/24 641");
  EXPECT_EQ(all.back(), "65000:101 10.19.135.0/24 641");
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), 5000u);
  EXPECT_EQ(batch->segments.size(), 1u);
}

// wire 2.20: withdrawals before announcements; who keeps the route through another provenance finds its withdrawal last.
TEST_F(PackerTest, OrderOfParts) {
  announce(a, {.targets = {kRt1}}, many(600));
  announce(b, {.targets = {kRt2}, .local_pref = 50}, many(300));
  end_turn();
  withdraw(a, many(500));  // 300 go over to b, 200 are gone
  announce(a, {.targets = {kRt1}}, many(10, 0x0b000000));
  BatchRef batch = pack();
  auto messages = read(*batch.get());
  expect_segments_cover(*batch.get(), messages);
  std::size_t gone = 0, announced = 0, transitions = 0;
  int part = 0;  // 0 gone, 1 announced, 2 transitions
  for (const Read& m : messages) {
    int now = m.begin >= batch->shared_end ? 2 : m.announcement ? 1 : 0;
    EXPECT_GE(now, part);
    part = now;
    (now == 0 ? gone : now == 1 ? announced : transitions) += m.prefixes.size();
    if (!m.announcement) {
      EXPECT_THAT(m.attributes, testing::ElementsAre(15));
      EXPECT_THAT(m.prefixes, testing::Each(testing::EndsWith(" 800000")));
    }
  }
  EXPECT_EQ(gone, 200u);
  EXPECT_EQ(announced, 310u);
  EXPECT_EQ(transitions, 300u);
}

// What a filtered peer takes is contiguous: one segment per provenance, those of an RT set side by side.
TEST_F(PackerTest, SegmentsAreGroupedByTargets) {
  for (std::uint32_t i = 0; i < 60; ++i)
    announce(i % 2 ? a : b, {.targets = {i % 3 ? kRt1 : kRt2}, .med = i % 4}, {{.address = 0x0a000000 + (i << 8)}});
  BatchRef batch = pack();
  auto messages = read(*batch.get());
  expect_segments_cover(*batch.get(), messages);
  ASSERT_EQ(batch->segments.size(), 4u);  // two peers with two RT sets
  std::vector<RtSetId> sets;
  for (const Segment& s : batch->segments) {
    RtSetId set = shared.provenances.provenance(s.after).rt_set;
    if (sets.empty() || sets.back() != set) sets.push_back(set);
  }
  EXPECT_EQ(sets.size(), 2u);
}

TEST_F(PackerTest, WithdrawalsFillTheirMessages) {
  announce(a, {}, many(3000));
  end_turn();
  withdraw(a, many(3000));
  BatchRef batch = pack();
  auto messages = read(*batch.get());
  expect_segments_cover(*batch.get(), messages);
  EXPECT_EQ(messages.size(), (3000u + (4096 - 30) / 15 - 1) / ((4096 - 30) / 15));
}

// Every size of attributes from small to beyond 4096: messages stay within it as long as one route fits. RFC 8654.
TEST_F(PackerTest, LargeAttributes) {
  for (std::size_t octets = 3400; octets <= 4400; octets += 52) {
    announce(a, {.community_octets = octets}, many(40));
    BatchRef batch = pack();
    auto probe = shared.attributes[rib.log().announcements()[0].attributes].bytes().size();
    bool fits = 23 + 9 + 12 + probe + 15 <= 4096;
    auto messages = read(*batch.get(), fits ? 4096 : 65535);
    expect_segments_cover(*batch.get(), messages);
    std::size_t prefixes = 0;
    for (const Read& m : messages) prefixes += m.prefixes.size();
    EXPECT_EQ(prefixes, 40u);
    if (!fits) {
      EXPECT_EQ(messages.size(), 40u);
    }
    end_turn();
    withdraw(a, many(40));
    settle();
  }
}

TEST_F(PackerTest, OtherClassesAreEncodedFromTheSameLog) {
  announce(a, {.neighbor_as = 4200000001}, many(700));
  EncodingClass external{.is_external = true, .local_as = 65000, .next_hop_self = wire::IpAddress::v4(0xc0000201)};
  EncodingClass narrow{.four_octet_as = false};
  for (const EncodingClass& encoding : {external, narrow}) {
    BatchRef batch = pack(encoding);
    std::vector<std::uint8_t> copy(batch->data(), batch->data() + batch->size());
    std::size_t prefixes = 0;
    for (std::size_t at = 0; at < copy.size(); at += load_be16(copy.data() + at + 16)) {
      wire::UpdateContext context;
      context.families.insert(wire::Family::vpnv4);
      context.is_external = encoding.is_external;
      context.four_octet_as = encoding.four_octet_as;
      ASSERT_LE(load_be16(copy.data() + at + 16), 4096);
      auto view = wire::decode_update(Bytes(copy.data() + at + 19, load_be16(copy.data() + at + 16) - 19u), context);
      ASSERT_TRUE(view && view->reach);
      EXPECT_EQ(view->error_count, 0u);
      EXPECT_EQ(view->find(wire::attr::local_pref) != nullptr, !encoding.is_external);
      EXPECT_EQ(view->find(wire::attr::as4_path) != nullptr, !encoding.four_octet_as);
      EXPECT_EQ(load_be32(view->reach->next_hop.data() + 8), encoding.is_external ? 0xc0000201 : 0x0a000001);
      wire::VpnNlriReader reader(view->reach->nlri, false, false, false);
      for (wire::VpnNlri n; reader.next(n) == wire::NlriStatus::ok;) ++prefixes;
    }
    EXPECT_EQ(prefixes, 700u);
  }
}

// The bytes that batches hold are known exactly, and go with the last reference.
TEST_F(PackerTest, RetainedBytes) {
  announce(a, {}, many(100));
  {
    BatchRef batch = pack();
    EXPECT_GE(retained->bytes.load(), static_cast<std::int64_t>(batch->size()));
    std::shared_ptr<BatchLife> life = batch->life();
    BatchRef second = batch;
    batch = BatchRef();
    EXPECT_FALSE(life->ended.load());
    second = BatchRef();
    EXPECT_TRUE(life->ended.load());
  }
  EXPECT_EQ(retained->bytes.load(), 0);
}

}  // namespace
}  // namespace helio::rib::test
