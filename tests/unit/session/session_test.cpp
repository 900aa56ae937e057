// Sessions over loopback sockets against a scripted speaker: handshake, OPEN checks, timers, framing.
#include <gmock/gmock.h>

#include "harness.hpp"

namespace helio::session::test {
namespace {

using fsm::State;

// RFC 4271 §8.2.2, OpenSent to Established; the OPEN's content as the group says.
TEST(Session, HandshakeReachesEstablished) {
  Sessions sessions(one_neighbor());
  RawPeer remote = RawPeer::connect(ip("127.0.0.2"), sessions.endpoint());
  auto theirs = remote.receive();
  ASSERT_TRUE(theirs);
  ASSERT_EQ(theirs->type, wire::MessageType::open);
  auto open = wire::decode_open(theirs->body());
  ASSERT_TRUE(open);
  EXPECT_EQ(open->as(), 65000u);
  EXPECT_EQ(open->hold_time, 90);
  EXPECT_EQ(open->bgp_identifier, 0x0aff0001u);
  const wire::Capabilities& offered = open->capabilities;
  EXPECT_EQ(offered.multiprotocol.size(), 3u);
  EXPECT_TRUE(offered.route_refresh && offered.enhanced_route_refresh && offered.extended_message);
  EXPECT_EQ(offered.four_octet_as, 65000u);
  ASSERT_EQ(offered.extended_next_hop.size(), 1u);  // wire 2.15
  EXPECT_EQ(offered.extended_next_hop[0].family, wire::afi_safi(wire::Family::vpnv4));
  EXPECT_FALSE(offered.graceful_restart);
  ASSERT_TRUE(offered.fqdn);
  EXPECT_EQ(offered.fqdn->hostname, "rr1");

  wire::OpenMessage ours = make_remote_open(0x0a000001);
  ours.capabilities.fqdn = wire::Fqdn{"pe1", ""};
  remote.send_open(ours);
  auto keepalive = remote.receive();
  ASSERT_TRUE(keepalive);
  EXPECT_EQ(keepalive->type, wire::MessageType::keepalive);
  remote.send_keepalive();
  ASSERT_TRUE(Sessions::eventually([&] { return sessions.engine().established_count() == 1; }));
  EstablishedPeer peer = sessions.engine().established().at(0);
  EXPECT_EQ(peer.address, ip("127.0.0.2"));
  EXPECT_EQ(peer.local_address, ip("127.0.0.1"));
  EXPECT_EQ(peer.router_id, 0x0a000001u);
  // wire 2.16: only what both sides have; VPNv6 and extended messages were not offered by the neighbour.
  EXPECT_TRUE(peer.families.contains(wire::Family::vpnv4) && peer.families.contains(wire::Family::rtc));
  EXPECT_FALSE(peer.families.contains(wire::Family::vpnv6));
  EXPECT_FALSE(peer.extended_messages);
  EXPECT_FALSE(peer.enhanced_refresh);
  EXPECT_TRUE(peer.ipv6_next_hop.empty());
  PeerSnapshot snapshot = sessions.peer("127.0.0.2");
  EXPECT_EQ(snapshot.state, State::established);
  EXPECT_EQ(snapshot.hostname, "pe1");
  EXPECT_EQ(snapshot.messages_in[1], 1u);
  EXPECT_EQ(snapshot.messages_out[1], 1u);
}

// We connect when we are not passive (RFC 4271 §8.2.2 Idle, Connect).
TEST(Session, ConnectsToANeighborThatListens) {
  auto listener = open_listener({ip("127.0.0.3"), 0});
  ASSERT_TRUE(listener);
  auto group = make_group();
  group->passive = false;
  group->local_address = ip("127.0.0.1");
  SessionSettings settings = one_neighbor(group, "127.0.0.3");
  settings.neighbors[0].remote_port = local_port_of(*listener);
  Sessions sessions(std::move(settings));
  int fd = -1;
  ASSERT_TRUE(Sessions::eventually([&] { return (fd = ::accept4(*listener, nullptr, nullptr, 0)) >= 0; }));
  RawPeer remote = RawPeer::adopt(fd);
  EXPECT_TRUE(remote.handshake(make_remote_open()));
  EXPECT_TRUE(Sessions::eventually([&] { return sessions.peer("127.0.0.3").state == State::established; }));
  ::close(*listener);
}

// RFC 4271 §6.2, RFC 6286, RFC 7607: what is wrong with an OPEN, and what it is told.
TEST(Session, BadOpensAreAnsweredWithTheirNotification) {
  struct Case {
    const char* clause;
    std::function<void(wire::OpenMessage&)> spoil;
    std::uint8_t subcode;
  };
  const Case cases[] = {
      {"RFC 4271 6.2 Bad Peer AS", [](auto& open) { open.set_as(65001); }, 2},
      {"RFC 7607 AS 0", [](auto& open) { open.my_as = 0, open.capabilities.four_octet_as.reset(); }, 2},
      {"RFC 6286 2.1 identifier 0", [](auto& open) { open.bgp_identifier = 0; }, 3},
      {"RFC 6286 2.2 our own identifier in our AS", [](auto& open) { open.bgp_identifier = 0x0aff0001; }, 3},
      {"RFC 4271 6.2 hold time 1", [](auto& open) { open.hold_time = 1; }, 6},
      {"RFC 4271 6.2 hold time 2", [](auto& open) { open.hold_time = 2; }, 6},
      {"RFC 5492 5 no family in common",
       [](auto& open) { open.capabilities.multiprotocol = {wire::afi_safi(wire::Family::ipv6_unicast)}; }, 7},
  };
  Sessions sessions(one_neighbor());
  for (const Case& c : cases) {
    SCOPED_TRACE(c.clause);
    RawPeer remote = RawPeer::connect(ip("127.0.0.2"), sessions.endpoint());
    wire::OpenMessage open = make_remote_open();
    c.spoil(open);
    remote.send_open(open);
    auto notification = remote.receive_notification();
    ASSERT_TRUE(notification);
    EXPECT_EQ(notification->code, 2);
    EXPECT_EQ(notification->subcode, c.subcode);
    EXPECT_TRUE(remote.is_closed_by_peer());
  }
  // Version 3, with the version that we speak as data.
  RawPeer remote = RawPeer::connect(ip("127.0.0.2"), sessions.endpoint());
  std::vector<std::uint8_t> message;
  wire::encode_open(message, make_remote_open());
  message[wire::kHeaderSize] = 3;
  remote.send(message);
  auto notification = remote.receive_notification();
  ASSERT_TRUE(notification);
  EXPECT_EQ(*notification, (wire::Notification{2, 1, {0, 4}}));
  EXPECT_EQ(sessions.engine().established_count(), 0u);
  EXPECT_EQ(sessions.peer("127.0.0.2").last_close, CloseReason::open_rejected);
  // After all that, a good one is welcome at once: failures hold back our tries, not the neighbour's.
  RawPeer good = RawPeer::connect(ip("127.0.0.2"), sessions.endpoint());
  EXPECT_TRUE(good.handshake(make_remote_open()));
}

// RFC 4271 §6.1.
TEST(Session, HeaderErrorsAreAnsweredAsSuch) {
  std::vector<std::uint8_t> keepalive;
  wire::encode_keepalive(keepalive);
  struct Case {
    const char* clause;
    std::size_t at;
    std::uint8_t value;
    wire::Notification expected;
  };
  const Case cases[] = {
      {"6.1 Connection Not Synchronized", 3, 0xfe, {1, 1, {}}},
      {"6.1 Bad Message Length", 17, 20, {1, 2, {0, 20}}},
      {"6.1 Bad Message Type", 18, 9, {1, 3, {9}}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.clause);
    Up up;
    std::vector<std::uint8_t> bad = keepalive;
    bad[c.at] = c.value;
    up.remote.send(bad);
    auto notification = up.remote.receive_notification();
    ASSERT_TRUE(notification);
    EXPECT_EQ(*notification, c.expected);
    EXPECT_TRUE(up.closed_with(CloseReason::header_error));
  }
}

// RFC 6608: the FSM error names the state; RFC 4271 §8.2.2 any other event.
TEST(Session, UnexpectedMessagesAreFsmErrors) {
  Sessions sessions(one_neighbor());
  RawPeer early = RawPeer::connect(ip("127.0.0.2"), sessions.endpoint());
  early.send_keepalive();
  EXPECT_EQ(early.receive_notification(), (wire::Notification{5, 1, {}}));  // OpenSent
  RawPeer update = RawPeer::connect(ip("127.0.0.2"), sessions.endpoint());
  update.send_open(make_remote_open());
  update.send(RawPeer::make_update());
  EXPECT_EQ(update.receive_notification(), (wire::Notification{5, 2, {}}));  // OpenConfirm
  RawPeer twice = RawPeer::connect(ip("127.0.0.2"), sessions.endpoint());
  ASSERT_TRUE(twice.handshake(make_remote_open()));
  twice.send_open(make_remote_open());
  EXPECT_EQ(twice.receive_notification(), (wire::Notification{5, 3, {}}));  // Established
}

// RFC 4271 §6.5; 3 s is the least a speaker may ask for.
TEST(Session, HoldTimerExpires) {
  Up up(one_neighbor(), make_remote_open(0x0a000001, 65000, 3));
  auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(up.remote.receive_notification(6000ms), (wire::Notification{4, 0, {}}));
  auto waited = std::chrono::steady_clock::now() - start;
  EXPECT_GE(waited, 2500ms);
  EXPECT_LE(waited, 4000ms);
  EXPECT_TRUE(up.closed_with(CloseReason::hold_timer_expired));
}

// RFC 4271 §4.4: keepalives a third of the hold time apart, jittered; they keep a silent session up.
TEST(Session, KeepalivesKeepTheSessionUp) {
  Up up(one_neighbor(), make_remote_open(0x0a000001, 65000, 3));
  int received = 0;
  auto until = std::chrono::steady_clock::now() + 4500ms;
  while (std::chrono::steady_clock::now() < until) {
    auto message = up.remote.receive(1500ms);
    ASSERT_TRUE(message) << "no keepalive within 1.5 s at an interval of 1 s";
    ASSERT_EQ(message->type, wire::MessageType::keepalive);
    up.remote.send_keepalive();
    ++received;
  }
  EXPECT_GE(received, 4);
  EXPECT_LE(received, 8);
  EXPECT_TRUE(up.sessions.engine().closed().empty());
}

// The neighbour's hold timer must not run out because we stopped reading: what waits in the socket counts as alive.
TEST(Session, HoldTimerSparesANeighborWeDoNotRead) {
  Up up(one_neighbor(), make_remote_open(0x0a000001, 65000, 3));
  up.sessions.engine().set_may_read(false);
  up.remote.send(RawPeer::make_update());
  std::this_thread::sleep_for(4500ms);
  EXPECT_TRUE(up.sessions.engine().closed().empty());
  EXPECT_EQ(up.sessions.engine().update_count(), 0u);
  up.sessions.engine().set_may_read(true);
  up.sessions.manager.control(ShardId(0)).wake();
  EXPECT_TRUE(Sessions::eventually([&] { return up.sessions.engine().update_count() == 1; }));
}

// RFC 4271 §8.2.2 OpenSent: the large hold timer ends a connection that never sends its OPEN.
TEST(Session, AConnectionWithoutOpenIsDropped) {
  SessionSettings settings = one_neighbor();
  settings.limits.open_wait = 200ms;
  Sessions sessions(std::move(settings));
  RawPeer remote = RawPeer::connect(ip("127.0.0.2"), sessions.endpoint());
  EXPECT_EQ(remote.receive_notification(), (wire::Notification{4, 0, {}}));
  EXPECT_TRUE(remote.is_closed_by_peer());
}

// Framing must not depend on how TCP cuts the stream.
TEST(Session, MessagesSplitAtEveryByteBoundary) {
  Up up;
  std::vector<std::uint8_t> stream = RawPeer::make_update(40, 0x11);
  auto second = RawPeer::make_update(23, 0);
  stream.insert(stream.end(), second.begin(), second.end());
  std::size_t expected = 0;
  for (std::size_t cut = 1; cut < stream.size(); ++cut) {
    up.remote.send(Bytes(stream).first(cut));
    // The first part has been read when its whole messages have arrived, or after a moment when there is none.
    if (cut >= 40) {
      ASSERT_TRUE(Sessions::eventually([&] { return up.sessions.engine().update_count() == expected + 1; }));
    } else {
      std::this_thread::sleep_for(500us);
    }
    up.remote.send(Bytes(stream).subspan(cut));
    expected += 2;
    ASSERT_TRUE(Sessions::eventually([&] { return up.sessions.engine().update_count() == expected; })) << "cut at " << cut;
  }
  auto updates = up.sessions.engine().updates();
  for (std::size_t i = 0; i < updates.size(); i += 2) {
    EXPECT_EQ(updates[i].size(), 21u);
    EXPECT_EQ(updates[i][20], 0x11);
    EXPECT_EQ(updates[i + 1].size(), 4u);
  }
}

// RFC 8654: 65535 octets once both have offered it, 4096 otherwise.
TEST(Session, ExtendedMessagesOnlyWhenNegotiated) {
  auto open = make_remote_open();
  open.capabilities.extended_message = true;
  {
    Up up(one_neighbor(), open);
    EXPECT_TRUE(up.sessions.engine().established().at(0).extended_messages);
    up.remote.send(RawPeer::make_update(65535));
    EXPECT_TRUE(Sessions::eventually([&] { return up.sessions.engine().update_count() == 1; }));
  }
  auto group = make_group();
  group->extended_messages = false;
  Up up(one_neighbor(group), open);
  up.remote.send(RawPeer::make_update(4097));
  EXPECT_EQ(up.remote.receive_notification(), (wire::Notification{1, 2, {0x10, 0x01}}));
}

// RFC 2918, RFC 7313 §5.
TEST(Session, RouteRefreshReachesTheEngineForNegotiatedFamiliesOnly) {
  auto open = make_remote_open();
  open.capabilities.enhanced_route_refresh = true;
  Up up(one_neighbor(), open);
  std::vector<std::uint8_t> messages;
  wire::encode_route_refresh(messages, wire::Family::vpnv6, wire::RouteRefresh::Subtype::request);  // not negotiated
  wire::encode_route_refresh(messages, wire::Family::vpnv4, wire::RouteRefresh::Subtype::begin);
  wire::encode_route_refresh(messages, wire::Family::rtc, wire::RouteRefresh::Subtype::request);
  up.remote.send(messages);
  ASSERT_TRUE(Sessions::eventually([&] { return up.sessions.engine().refreshes().size() == 2; }));
  auto refreshes = up.sessions.engine().refreshes();
  EXPECT_EQ(refreshes[0].family, wire::Family::vpnv4);
  EXPECT_EQ(refreshes[0].subtype, 1);
  EXPECT_EQ(refreshes[1].family, wire::Family::rtc);
  // A ROUTE-REFRESH of the wrong length is error 7/1 with the message as data.
  std::vector<std::uint8_t> bad;
  std::size_t start = wire::begin_message(bad, wire::MessageType::route_refresh);
  bad.insert(bad.end(), {0, 1, 0});
  wire::end_message(bad, start);
  up.remote.send(bad);
  auto notification = up.remote.receive_notification();
  ASSERT_TRUE(notification);
  EXPECT_EQ(notification->code, 7);
  EXPECT_EQ(notification->subcode, 1);
}

// RFC 4271 §8.1.1 DelayOpen: our OPEN waits, or goes out when the neighbour's has come.
TEST(Session, DelayOpen) {
  auto group = make_group();
  group->delay_open = 1s;
  Sessions sessions(one_neighbor(group));
  RawPeer patient = RawPeer::connect(ip("127.0.0.2"), sessions.endpoint());
  EXPECT_FALSE(patient.receive(500ms));
  EXPECT_TRUE(patient.timed_out());
  auto open = patient.receive(1500ms);
  ASSERT_TRUE(open);
  EXPECT_EQ(open->type, wire::MessageType::open);
  patient.close();
  ASSERT_TRUE(Sessions::eventually([&] { return sessions.peer("127.0.0.2").state < State::open_sent; }));
  RawPeer first = RawPeer::connect(ip("127.0.0.2"), sessions.endpoint());
  first.send_open(make_remote_open());
  auto start = std::chrono::steady_clock::now();
  first.send_keepalive();
  auto theirs = first.receive();
  ASSERT_TRUE(theirs);
  EXPECT_EQ(theirs->type, wire::MessageType::open);
  EXPECT_TRUE(Sessions::eventually([&] { return sessions.peer("127.0.0.2").state == State::established; }));
  EXPECT_LT(std::chrono::steady_clock::now() - start, 600ms);
}

// RFC 5492 §3, wire 2.17: a refused capability is left out of the next OPEN.
TEST(Session, RefusedCapabilitiesAreLeftOut) {
  Sessions sessions(one_neighbor());
  RawPeer first = RawPeer::connect(ip("127.0.0.2"), sessions.endpoint());
  ASSERT_TRUE(first.receive());
  first.send_notification({2, 7, {wire::capability::fqdn, 0}});
  EXPECT_TRUE(first.is_closed_by_peer());
  auto next_open = [&] {
    RawPeer remote = RawPeer::connect(ip("127.0.0.2"), sessions.endpoint());
    auto message = remote.receive();
    auto open = wire::decode_open(message->body());
    remote.send_notification({2, 7, {}});
    remote.is_closed_by_peer();
    return *open;
  };
  wire::OpenMessage second = next_open();
  EXPECT_FALSE(second.capabilities.fqdn);
  EXPECT_TRUE(second.capabilities.extended_message);
  wire::OpenMessage third = next_open();
  EXPECT_FALSE(third.capabilities.extended_message || third.capabilities.enhanced_route_refresh);
  EXPECT_TRUE(third.capabilities.extended_next_hop.empty());
  EXPECT_EQ(third.capabilities.multiprotocol.size(), 3u);
  EXPECT_TRUE(third.capabilities.route_refresh);
}

}  // namespace
}  // namespace helio::session::test
