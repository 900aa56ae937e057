// The PE end of a simulated session: cuts the octets the engine sent into messages, decodes them with the naive codec,
// keeps the Adj-RIB-In, and tells an observer of each route event. It judges what one receiver can judge alone
// (framing, encoding, End-of-RIB count and order); what depends on the whole network is the observer's business.
#pragma once
#include <utility>
#include <functional>
#include <map>
#include <set>

#include "tests/support/oracle.hpp"

namespace helio::test {

class ScriptedPeer {
 public:
  // What the peer sees, in order, before its Adj-RIB-In changes.
  class Observer {
   public:
    virtual ~Observer() = default;
    virtual void on_announced(const ScriptedPeer& peer, const PathKey& prefix, const HeldRoute& route, const HeldRoute* held) = 0;
    virtual void on_withdrawn(const ScriptedPeer& peer, const PathKey& prefix, bool held) = 0;
    virtual void on_rtc_announced(const ScriptedPeer& peer, const wire::RtMembership& m, const PathAttributes& a, const PathAttributes* held) = 0;
    virtual void on_rtc_withdrawn(const ScriptedPeer& peer, const wire::RtMembership& m, bool held) = 0;
    virtual void on_end_of_rib(const ScriptedPeer& peer, wire::Family family) = 0;
    virtual void on_violation(const ScriptedPeer& peer, const std::string& text) = 0;
  };

  // `is_disguised`: its VPNv6 is EVPN on the wire (evpn_disguise.hpp).
  ScriptedPeer(const PeerSpec& spec, Observer& observer, bool is_disguised = false) : spec_(spec), observer_(observer), is_disguised_(is_disguised) {}

  const PeerSpec& spec() const { return spec_; }
  bool is_up() const { return up_; }
  void session_up();
  void session_down();
  // The next octets of the stream, cut anywhere.
  void receive(Bytes octets);
  // A whole message of the session itself (ROUTE-REFRESH); only legal between two messages.
  void receive_message(Bytes message);
  // After a ROUTE-REFRESH of this peer the family may be sent again, once per request.
  void refresh_requested(wire::Family family) { refreshing_.insert(family); }
  // The reflector asked for the memberships again (RFC 2918), since the last call.
  bool take_rtc_request() { return std::exchange(rtc_is_asked_for_, false); }
  void clear_refreshes() { refreshing_.clear(); }

  bool at_message_boundary() const { return stream_.empty(); }
  Bytes unfinished() const { return stream_; }
  bool is_refreshing(wire::Family family) const { return refreshing_.contains(family); }
  unsigned end_of_ribs(wire::Family family) const { return end_of_ribs_[wire::index(family)]; }
  const std::map<PathKey, HeldRoute>& vpn() const { return vpn_; }
  // Some path of the prefix.
  bool holds(const wire::VpnPrefix& prefix) const {
    auto at = vpn_.lower_bound(PathKey(prefix));
    return at != vpn_.end() && static_cast<const wire::VpnPrefix&>(at->first) == prefix;
  }
  const std::map<wire::RtMembership, PathAttributes>& rtc() const { return rtc_; }
  std::uint64_t messages() const { return messages_; }
  std::uint64_t routes_received() const { return routes_; }
  std::uint64_t octets_received() const { return octets_; }
  // FNV-1a over everything received in all sessions: equal for equal runs (invariant 6).
  std::uint64_t digest() const { return digest_; }

 private:
  void message(Bytes message);
  void update(Bytes body);
  void route_refresh(Bytes body);
  void violation(const std::string& text) { observer_.on_violation(*this, text); }

  PeerSpec spec_;
  Observer& observer_;
  bool is_disguised_;
  bool up_ = false;
  Octets stream_;
  std::map<PathKey, HeldRoute> vpn_;
  std::map<wire::RtMembership, PathAttributes> rtc_;
  bool rtc_is_asked_for_ = false;
  std::array<unsigned, wire::kFamilyCount> end_of_ribs_{};
  std::set<wire::Family> refreshing_;
  std::map<wire::Family, std::set<PathKey>> stale_vpn_;  // RFC 7313: between BoRR and EoRR
  std::map<wire::Family, std::set<wire::RtMembership>> stale_rtc_;
  std::uint64_t messages_ = 0, routes_ = 0, octets_ = 0, digest_ = 14695981039346656037u;
};

}  // namespace helio::test
