#include "rr/nexthop/netlink.hpp"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace helio::nexthop {
namespace {

constexpr std::size_t aligned(std::size_t n) { return (n + 3) & ~std::size_t{3}; }

// A structure at an offset, copied: messages need not be aligned.
template <class T>
bool read_at(Bytes bytes, std::size_t offset, T& out) {
  if (bytes.size() < offset || bytes.size() - offset < sizeof(T)) return false;
  std::memcpy(&out, bytes.data() + offset, sizeof(T));
  return true;
}

// Calls visit(header, body) for each message; false when one does not fit.
template <class Visit>
bool each_message(Bytes bytes, Visit&& visit) {
  while (!bytes.empty()) {
    nlmsghdr header;
    if (!read_at(bytes, 0, header) || header.nlmsg_len < sizeof header || header.nlmsg_len > bytes.size()) return false;
    visit(header, bytes.subspan(sizeof header, header.nlmsg_len - sizeof header));
    bytes = bytes.subspan(std::min(aligned(header.nlmsg_len), bytes.size()));
  }
  return true;
}

// Calls visit(type, value) for each attribute behind an rtmsg; what does not fit ends the list.
template <class Visit>
void each_attribute(Bytes body, Visit&& visit) {
  for (std::size_t at = aligned(sizeof(rtmsg)); at < body.size();) {
    rtattr attribute;
    if (!read_at(body, at, attribute) || attribute.rta_len < sizeof attribute || attribute.rta_len > body.size() - at) return;
    visit(attribute.rta_type & NLA_TYPE_MASK, body.subspan(at + sizeof attribute, attribute.rta_len - sizeof attribute));
    at += aligned(attribute.rta_len);
  }
}

// "There is no such route", in the ways the kernel says it: none, unreachable, prohibit, blackhole.
bool means_no_route(int error) { return error == ENETUNREACH || error == EHOSTUNREACH || error == EACCES || error == EINVAL || error == ESRCH || error == EAGAIN; }

void read_route(Bytes body, RouteReply& reply) {
  rtmsg route;
  if (!read_at(body, 0, route)) return;
  reply.complete = true;
  reply.answer.exists = route.rtm_type == RTN_UNICAST || route.rtm_type == RTN_LOCAL;
  reply.answer.is_default = route.rtm_dst_len == 0;
  each_attribute(body, [&](int type, Bytes value) {
    if (type == RTA_PRIORITY) read_at(value, 0, reply.answer.metric);
  });
}

}  // namespace

std::vector<std::uint8_t> encode_route_question(const wire::IpAddress& address, std::uint32_t sequence) {
  struct {
    nlmsghdr header;
    rtmsg route;
    rtattr destination;
  } question{};
  Bytes octets = address.view();
  question.header.nlmsg_len = static_cast<std::uint32_t>(sizeof question + octets.size());
  question.header.nlmsg_type = RTM_GETROUTE;
  question.header.nlmsg_flags = NLM_F_REQUEST;
  question.header.nlmsg_seq = sequence;
  question.route.rtm_family = address.is_v6 ? AF_INET6 : AF_INET;
  question.route.rtm_dst_len = static_cast<std::uint8_t>(octets.size() * 8);
  question.route.rtm_flags = RTM_F_FIB_MATCH;
  question.destination.rta_type = RTA_DST;
  question.destination.rta_len = static_cast<std::uint16_t>(sizeof question.destination + octets.size());
  std::vector<std::uint8_t> out(question.header.nlmsg_len);
  std::memcpy(out.data(), &question, sizeof question);
  std::memcpy(out.data() + sizeof question, octets.data(), octets.size());
  return out;
}

RouteReply decode_route_reply(Bytes messages, std::uint32_t sequence) {
  RouteReply reply;
  each_message(messages, [&](const nlmsghdr& header, Bytes body) {
    if (header.nlmsg_seq != sequence || reply.complete) return;
    if (header.nlmsg_type == RTM_NEWROUTE) {
      read_route(body, reply);
    } else if (header.nlmsg_type == NLMSG_ERROR) {
      nlmsgerr error;
      if (!read_at(body, 0, error)) return;
      reply.complete = true;
      if (!means_no_route(-error.error)) reply.error = -error.error;
    }
  });
  return reply;
}

bool decode_notifications(Bytes messages, std::vector<RouteChange>& out) {
  auto everything = [&] { out.push_back({.everything = true, .address = {}}); };
  return each_message(messages, [&](const nlmsghdr& header, Bytes body) {
    if (header.nlmsg_type == NLMSG_NOOP || header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR) return;
    if (header.nlmsg_type != RTM_NEWROUTE && header.nlmsg_type != RTM_DELROUTE) return everything();
    rtmsg route;
    if (!read_at(body, 0, route)) return everything();
    if ((route.rtm_flags & RTM_F_CLONED) != 0) return;  // a cache entry
    if (route.rtm_family != AF_INET && route.rtm_family != AF_INET6) return;
    RouteChange change{.address = {.is_v6 = route.rtm_family == AF_INET6}};
    std::size_t octets = change.address.is_v6 ? 16 : 4;
    if (route.rtm_dst_len > octets * 8) return everything();
    change.length = route.rtm_dst_len;
    each_attribute(body, [&](int type, Bytes value) {
      if (type == RTA_DST && value.size() == octets) std::ranges::copy(value, change.address.bytes.begin());
    });
    out.push_back(change);
  });
}

}  // namespace helio::nexthop
