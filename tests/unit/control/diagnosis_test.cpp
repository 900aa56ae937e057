#include "rr/control/diagnosis.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rr/config/load.hpp"

namespace helio::control {
namespace {

constexpr const char* kConfig = R"(
[global]
as = 65000
router-id = "192.0.2.1"
[[peer-groups]]
name = "plain"
[[neighbors]]
address = "192.0.2.11"
peer-group = "plain"
[[listen-ranges]]
prefix = "198.51.100.0/24"
peer-group = "plain"
)";

class DiagnosisTest : public testing::Test {
 protected:
  DiagnosisTest() {
    auto loaded = config::parse_config(kConfig, "test.toml", "/etc");
    EXPECT_TRUE(loaded) << config::format_problem(loaded.error()[0]);
    config_ = *loaded;
    peer_.address = *wire::parse_ip("192.0.2.11");
    peer_.group = "plain";
    peer_.peer_as = 65000;
  }
  std::vector<std::string> reasons(const char* address, const reflector::PeerView* peer, KernelCounters kernel = {}) {
    last_ = diagnose(*wire::parse_ip(address), peer, config_, kernel);
    std::vector<std::string> out;
    for (const Finding& f : last_.findings)
      if (f.kind == Finding::Kind::problem) out.push_back(f.reason);
    return out;
  }
  config::Config config_;
  reflector::PeerView peer_;
  Diagnosis last_;
};

TEST_F(DiagnosisTest, StrangersAndThoseWhoNeverCame) {
  EXPECT_THAT(reasons("203.0.113.1", nullptr), testing::ElementsAre("not-configured"));
  EXPECT_THAT(reasons("198.51.100.7", nullptr), testing::ElementsAre("never-connected"));
  EXPECT_EQ(last_.configured_by, "listen range 198.51.100.0/24");
  EXPECT_EQ(last_.group, "plain");
}

TEST_F(DiagnosisTest, KeysByWhatTheKernelCounts) {
  // The group has no key: only unexpected signatures concern it.
  EXPECT_THAT(reasons("198.51.100.7", nullptr, {.md5_missing = 5, .md5_unexpected = 2, .md5_wrong = 7}), testing::ElementsAre("md5-unexpected", "never-connected"));
  config_.peer_groups[0].auth_password = "secret";
  EXPECT_THAT(reasons("198.51.100.7", nullptr, {.md5_missing = 5, .md5_unexpected = 2, .md5_wrong = 7}), testing::ElementsAre("md5-wrong", "md5-missing", "never-connected"));
  for (const Finding& f : last_.findings) EXPECT_THAT(f.text + f.hint, testing::Not(testing::HasSubstr("secret")));
  peer_.state = "OpenConfirm";
  EXPECT_THAT(reasons("192.0.2.11", &peer_), testing::ElementsAre("opening"));
  peer_.state = "Active";
  EXPECT_THAT(reasons("192.0.2.11", &peer_, {.ttl_drops = 3}), testing::ElementsAre("never-connected"));
  config_.peer_groups[0].ttl_min = 254;
  EXPECT_THAT(reasons("192.0.2.11", &peer_, {.ttl_drops = 3}), testing::ElementsAre("gtsm"));
}

TEST_F(DiagnosisTest, LastWordsOfEitherSide) {
  peer_.state = "Active";
  peer_.last_notification = "received: OPEN Message Error/Bad Peer AS";
  EXPECT_THAT(reasons("192.0.2.11", &peer_), testing::ElementsAre("notification-received"));
  EXPECT_THAT(last_.findings[0].hint, testing::HasSubstr("compare its remote AS with global.as"));
  peer_.last_notification.clear();
  peer_.last_error = "Connection refused";
  EXPECT_THAT(reasons("192.0.2.11", &peer_), testing::ElementsAre("connect"));
  peer_.state = "Idle (Admin)";
  EXPECT_EQ(reasons("192.0.2.11", &peer_).front(), "admin-down");
}

TEST_F(DiagnosisTest, AnEstablishedPeer) {
  peer_.state = "Established";
  peer_.families = {{.family = wire::Family::vpnv4, .negotiated = true, .eor_received = true}, {.family = wire::Family::rtc, .negotiated = true, .eor_received = true}};
  EXPECT_THAT(reasons("192.0.2.11", &peer_), testing::ElementsAre("family-not-negotiated"));  // vpnv6 is a default family
  EXPECT_THAT(last_.findings[1].text, testing::HasSubstr("vpnv6"));
  peer_.families.push_back({.family = wire::Family::vpnv6, .negotiated = true, .eor_received = true});
  peer_.rt_interest = 0;
  EXPECT_THAT(reasons("192.0.2.11", &peer_), testing::ElementsAre("no-membership"));
  peer_.rt_interest = 3;
  EXPECT_TRUE(reasons("192.0.2.11", &peer_).empty());
  peer_.lag_seconds = 4;
  EXPECT_THAT(reasons("192.0.2.11", &peer_), testing::ElementsAre("slow"));
}

TEST(KernelCounters, AreFoundByName) {
  KernelCounters counters = parse_kernel_counters(
      "TcpExt: SyncookiesSent TCPMD5NotFound TCPMD5Unexpected TCPMD5Failure TCPMinTTLDrop\nTcpExt: 9 1 2 3 4\nIpExt: TCPMD5Failure\nIpExt: 77\n");
  EXPECT_EQ(counters, (KernelCounters{1, 2, 3, 4}));
  EXPECT_EQ(parse_kernel_counters(""), KernelCounters{});
  EXPECT_EQ(parse_kernel_counters("TcpExt: TCPMD5Failure\nTcpExt:\n"), KernelCounters{});
}

}  // namespace
}  // namespace helio::control
