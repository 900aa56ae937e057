// The part of rtnetlink (Linux, rtnetlink(7)) that next hops need, as pure functions: the question for the route to an
// address, its answer, and what a notification is about.
#pragma once
#include <cstdint>
#include <vector>

#include "rr/nexthop/tracker.hpp"

namespace helio::nexthop {

// RTM_GETROUTE for one address; the kernel answers with the route it would take, rules and all (RTM_F_FIB_MATCH).
std::vector<std::uint8_t> encode_route_question(const wire::IpAddress& address, std::uint32_t sequence);

struct RouteReply {
  bool complete = false;   // an answer with the sequence number was there; else `answer` means nothing
  int error = 0;           // errno of the answer, 0 for a route
  RouteAnswer answer;
};
// `messages`: what one read returned. Errors that say "no route" are an answer; others are told in `error`.
RouteReply decode_route_reply(Bytes messages, std::uint32_t sequence);

// Adds what the notifications of one read are about. Routes name their prefix; links, addresses, rules and next hop
// objects can change the way to any address. False when the octets make no sense.
bool decode_notifications(Bytes messages, std::vector<RouteChange>& out);

}  // namespace helio::nexthop
