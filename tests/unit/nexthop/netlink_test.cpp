// rtnetlink messages, octet by octet as the kernel writes them (Linux, rtnetlink(7)), and whatever else may arrive.
#include "rr/nexthop/netlink.hpp"

#include <gmock/gmock.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <random>

namespace helio::nexthop {
namespace {

using Octets = std::vector<std::uint8_t>;

template <class T>
void append(Octets& out, const T& value) {
  std::size_t at = out.size();
  out.resize(at + sizeof value);
  std::memcpy(out.data() + at, &value, sizeof value);
}

void append_attribute(Octets& out, std::uint16_t type, const Octets& value) {
  append(out, rtattr{static_cast<std::uint16_t>(sizeof(rtattr) + value.size()), type});
  out.insert(out.end(), value.begin(), value.end());
  out.resize((out.size() + 3) & ~std::size_t{3});
}

Octets message(std::uint16_t type, std::uint32_t sequence, const Octets& body) {
  Octets out;
  append(out, nlmsghdr{static_cast<std::uint32_t>(sizeof(nlmsghdr) + body.size()), type, 0, sequence, 0});
  out.insert(out.end(), body.begin(), body.end());
  out.resize((out.size() + 3) & ~std::size_t{3});
  return out;
}

Octets route(std::uint8_t family, std::uint8_t length, std::uint8_t kind, const Octets& destination, std::optional<std::uint32_t> metric, unsigned flags = 0) {
  Octets body;
  rtmsg r{};
  r.rtm_family = family;
  r.rtm_dst_len = length;
  r.rtm_type = kind;
  r.rtm_flags = flags;
  append(body, r);
  append_attribute(body, RTA_TABLE, {254, 0, 0, 0});
  if (!destination.empty()) append_attribute(body, RTA_DST, destination);
  if (metric) {
    Octets value;
    append(value, *metric);
    append_attribute(body, RTA_PRIORITY, value);
  }
  return body;
}

Octets error(int number) {
  Octets body;
  append(body, nlmsgerr{-number, {}});
  return body;
}

TEST(Netlink, QuestionNamesTheAddress) {
  Octets v4 = encode_route_question(*wire::parse_ip("10.4.0.1"), 7);
  nlmsghdr header;
  rtmsg r;
  ASSERT_EQ(v4.size(), sizeof header + sizeof r + sizeof(rtattr) + 4);
  std::memcpy(&header, v4.data(), sizeof header);
  std::memcpy(&r, v4.data() + sizeof header, sizeof r);
  EXPECT_EQ(header.nlmsg_len, v4.size());
  EXPECT_EQ(header.nlmsg_type, RTM_GETROUTE);
  EXPECT_EQ(header.nlmsg_seq, 7u);
  EXPECT_EQ(r.rtm_family, AF_INET);
  EXPECT_EQ(r.rtm_dst_len, 32);
  EXPECT_NE(r.rtm_flags & RTM_F_FIB_MATCH, 0u);
  EXPECT_EQ(Octets(v4.end() - 4, v4.end()), (Octets{10, 4, 0, 1}));
  EXPECT_EQ(encode_route_question(*wire::parse_ip("2001:db8::1"), 8).size(), v4.size() + 12);
}

TEST(Netlink, AnswerGivesMetricAndDefault) {
  RouteReply reply = decode_route_reply(message(RTM_NEWROUTE, 7, route(AF_INET, 24, RTN_UNICAST, {10, 4, 0, 0}, 20)), 7);
  EXPECT_TRUE(reply.complete);
  EXPECT_TRUE(reply.answer.exists);
  EXPECT_FALSE(reply.answer.is_default);
  EXPECT_EQ(reply.answer.metric, 20u);
  reply = decode_route_reply(message(RTM_NEWROUTE, 7, route(AF_INET, 0, RTN_UNICAST, {}, std::nullopt)), 7);
  EXPECT_TRUE(reply.answer.is_default);
  EXPECT_EQ(reply.answer.metric, 0u);
  EXPECT_TRUE(decode_route_reply(message(RTM_NEWROUTE, 7, route(AF_INET, 32, RTN_LOCAL, {10, 4, 0, 1}, std::nullopt)), 7).answer.exists);
}

TEST(Netlink, RoutesThatLeadNowhereAreNone) {
  for (std::uint8_t kind : {RTN_BLACKHOLE, RTN_UNREACHABLE, RTN_PROHIBIT, RTN_THROW, RTN_BROADCAST, RTN_MULTICAST}) {
    RouteReply reply = decode_route_reply(message(RTM_NEWROUTE, 7, route(AF_INET6, 64, kind, Octets(16, 1), 1)), 7);
    EXPECT_TRUE(reply.complete);
    EXPECT_FALSE(reply.answer.exists) << int{kind};
  }
  for (int number : {ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL}) {
    RouteReply reply = decode_route_reply(message(NLMSG_ERROR, 7, error(number)), 7);
    EXPECT_TRUE(reply.complete);
    EXPECT_EQ(reply.error, 0);
    EXPECT_FALSE(reply.answer.exists);
  }
  EXPECT_EQ(decode_route_reply(message(NLMSG_ERROR, 7, error(EPERM)), 7).error, EPERM);
}

// An answer that came too late for an earlier question.
TEST(Netlink, AnswersToOtherQuestionsAreSkipped) {
  Octets both = message(RTM_NEWROUTE, 6, route(AF_INET, 24, RTN_UNICAST, {10, 4, 0, 0}, 1));
  EXPECT_FALSE(decode_route_reply(both, 7).complete);
  Octets mine = message(RTM_NEWROUTE, 7, route(AF_INET, 24, RTN_UNICAST, {10, 4, 0, 0}, 2));
  both.insert(both.end(), mine.begin(), mine.end());
  EXPECT_EQ(decode_route_reply(both, 7).answer.metric, 2u);
}

TEST(Netlink, NotificationsNameWhatChanged) {
  Octets all;
  for (const Octets& one : {message(RTM_NEWROUTE, 0, route(AF_INET, 24, RTN_UNICAST, {10, 4, 0, 0}, 20)),
                            message(RTM_DELROUTE, 0, route(AF_INET6, 48, RTN_UNICAST, Octets(16, 0x20), 1024)),
                            message(RTM_DELROUTE, 0, route(AF_INET, 0, RTN_UNICAST, {}, std::nullopt)),
                            message(RTM_NEWROUTE, 0, route(AF_INET6, 128, RTN_UNICAST, Octets(16, 1), 1, RTM_F_CLONED)),
                            message(RTM_NEWROUTE, 0, route(AF_MPLS, 20, RTN_UNICAST, {0, 0, 1, 0}, 1))})
    all.insert(all.end(), one.begin(), one.end());
  std::vector<RouteChange> changes;
  ASSERT_TRUE(decode_notifications(all, changes));
  ASSERT_EQ(changes.size(), 3u);
  EXPECT_EQ(wire::format_ip(changes[0].address), "10.4.0.0");
  EXPECT_EQ(changes[0].length, 24);
  EXPECT_TRUE(changes[1].address.is_v6);
  EXPECT_EQ(changes[1].length, 48);
  EXPECT_EQ(wire::format_ip(changes[2].address), "0.0.0.0");
  EXPECT_EQ(changes[2].length, 0);
  for (std::uint16_t type : {RTM_NEWLINK, RTM_DELADDR, RTM_NEWRULE, RTM_NEWNEXTHOP}) {
    changes.clear();
    ASSERT_TRUE(decode_notifications(message(type, 0, Octets(16, 0)), changes));
    ASSERT_EQ(changes.size(), 1u);
    EXPECT_TRUE(changes[0].everything);
  }
}

// Nothing is read beyond the octets there are, and what makes no sense is told.
TEST(Netlink, BrokenMessages) {
  Octets good = message(RTM_NEWROUTE, 7, route(AF_INET, 24, RTN_UNICAST, {10, 4, 0, 0}, 20));
  std::vector<RouteChange> changes;
  for (std::size_t n = 1; n < good.size(); ++n) {
    Octets cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(n));
    EXPECT_FALSE(decode_notifications(cut, changes)) << n;
    EXPECT_FALSE(decode_route_reply(cut, 7).complete) << n;
  }
  std::mt19937 random(3);
  for (int round = 0; round < 20000; ++round) {
    Octets bad = good;
    for (int n = 0; n < 3; ++n) bad[random() % bad.size()] = static_cast<std::uint8_t>(random());
    changes.clear();
    decode_notifications(bad, changes);
    for (const RouteChange& c : changes) EXPECT_LE(c.length, c.address.is_v6 ? 128 : 32);
    decode_route_reply(bad, 7);
  }
}

}  // namespace
}  // namespace helio::nexthop
