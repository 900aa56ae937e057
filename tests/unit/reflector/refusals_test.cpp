#include "rr/reflector/refusals.hpp"

#include <gtest/gtest.h>

namespace helio::reflector {
namespace {

wire::VpnPrefix prefix(const char* text, const char* rd) {
  wire::VpnPrefix out = *wire::parse_prefix(text);
  out.rd = *wire::parse_rd(rd);
  return out;
}

TEST(RefusalLog, RemembersTheLastReasonOfEachPeer) {
  RefusalLog log;
  std::uint64_t p = RefusalLog::hash_prefix(prefix("10.1.0.0/16", "65000:1"));
  EXPECT_TRUE(log.find(p).empty());
  log.note(PeerId(1), Refusal::as_loop, p, 10);
  log.note(PeerId(2), Refusal::prefix_limit, p, 11);
  log.note(PeerId(1), Refusal::cluster_loop, p, 12);
  std::vector<RefusalLog::Entry> found = log.find(p);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].refusal, Refusal::cluster_loop);
  EXPECT_EQ(found[0].seconds, 12u);
  EXPECT_EQ(found[1].peer, PeerId(2));
  // Neither another length, RD nor family.
  EXPECT_TRUE(log.find(RefusalLog::hash_prefix(prefix("10.1.0.0/17", "65000:1"))).empty());
  EXPECT_TRUE(log.find(RefusalLog::hash_prefix(prefix("10.1.0.0/16", "65000:2"))).empty());
  EXPECT_NE(RefusalLog::hash_prefix(prefix("0.0.0.0/0", "65000:1")), RefusalLog::hash_prefix(prefix("::/0", "65000:1")));
}

TEST(RefusalLog, PrefixesOfAMessageAreThoseThatAreAskedFor) {
  // path id 7, label 100, RD 65000:1, 10.1.128.0/17 with a host bit set (RFC 8277 §2, RFC 7911 §3)
  const std::uint8_t nlri[] = {0, 0, 0, 7, 105, 0, 6, 0x41, 0, 0, 0xfd, 0xe8, 0, 0, 0, 1, 10, 1, 129};
  RefusalLog log;
  log.note_all(PeerId(3), Refusal::treated_as_withdraw, wire::Family::vpnv4, nlri, true, 5);
  EXPECT_EQ(log.find(RefusalLog::hash_prefix(prefix("10.1.128.0/17", "65000:1"))).size(), 1u);
}

TEST(RefusalLog, ForgetsTheOldest) {
  RefusalLog log;
  for (std::uint32_t i = 0; i < 5000; ++i) log.note(PeerId(1), Refusal::as_loop, i, i);
  EXPECT_TRUE(log.find(0).empty());
  EXPECT_EQ(log.find(4999).size(), 1u);
  EXPECT_EQ(log.find(1000).size(), 1u);
}

}  // namespace
}  // namespace helio::reflector
