// Judges what peers are sent while a run is still in motion (DESIGN §4, invariants 2 to 4): between two quiet points the
// engine may be ahead of or behind the model, but every announcement must be one that some path of that time justifies, every
// withdrawal must be of something that may have been sent, and nothing may be repeated without a cause.
#pragma once
#include <optional>
#include <set>

#include "tests/support/scripted_peer.hpp"
#include "tests/support/script.hpp"

namespace helio::test {

class Auditor : public ScriptedPeer::Observer {
 public:
  Auditor(const World& world, const Oracle& oracle) : world_(world), oracle_(oracle), peers_(world.peers.size()) {}

  // To be told of every change of the model, after it was made.
  void input_changed(PeerId from, const PathKey& prefix);
  void session_changed(PeerId peer);
  void membership_changed(PeerId peer);
  // Call when time or an RTC End-of-RIB may have ended somebody's hold.
  void note_eligibility();
  // Other policies are in force: everything may change for everybody.
  void policies_changed();
  // The way to a next hop is another one: what has it may come, go or lose to another.
  void next_hop_changed(const wire::IpAddress& next_hop);
  void refresh_requested(const ScriptedPeer& peer, wire::Family family);
  // Everything has been delivered and read: forget what may have been in flight.
  void settled();

  void on_announced(const ScriptedPeer& peer, const PathKey& prefix, const HeldRoute& route, const HeldRoute* held) override;
  void on_withdrawn(const ScriptedPeer& peer, const PathKey& prefix, bool held) override;
  void on_rtc_announced(const ScriptedPeer& peer, const wire::RtMembership& m, const PathAttributes& a, const PathAttributes* held) override;
  void on_rtc_withdrawn(const ScriptedPeer& peer, const wire::RtMembership& m, bool held) override;
  void on_end_of_rib(const ScriptedPeer& peer, wire::Family family) override;
  void on_violation(const ScriptedPeer& peer, const std::string& text) override;

  // What a refresh should have brought again and did not, as far as it is still held.
  std::vector<std::string> missing_after_refresh(const ScriptedPeer& peer) const;
  const std::optional<std::string>& failure() const { return failure_; }
  void fail(const std::string& text) {
    if (!failure_) failure_ = text;
  }
  // Redundant messages where the slow-reader path makes them legitimate.
  std::uint64_t tolerated() const { return tolerated_; }
  void set_tolerant(bool tolerant) { tolerant_ = tolerant; }
  // Somebody says what the model does not know: what others are sent is not judged, only how it is written.
  void set_silent(bool silent) { silent_ = silent; }
  // While silent: a peer was sent what the strict decoder here does not take, such as another's odd next hop as it came.
  bool was_unreadable() const { return unreadable_; }

 private:
  struct PeerRecord {
    std::vector<wire::RtMembership> recent;  // memberships that were in force at some time since the last quiet point
    bool was_touched = false;                // session or membership changed since then
    std::optional<std::set<wire::VpnPrefix>> before_end_of_rib;
    bool was_eligible = false;
    std::set<PathKey> refresh_vpn;
    std::set<wire::RtMembership> refresh_rtc;
  };
  PeerRecord& record(PeerId peer) { return peers_[peer.value]; }
  void remember_memberships(PeerId peer);
  void touch_ranked();
  void remember_path(PeerId from, const PathKey& prefix, const policy::Definition* with = nullptr);
  void redundant(const std::string& text);
  // Some path of the time since the last quiet point that `to` could be sent for `prefix`.
  bool is_justified(PeerId to, const wire::VpnPrefix& prefix, const HeldRoute* content);

  const World& world_;
  const Oracle& oracle_;
  std::vector<PeerRecord> peers_;
  std::map<wire::VpnPrefix, std::vector<Oracle::Path>> recent_paths_;
  std::map<wire::VpnPrefix, std::vector<Oracle::Path>> unreachable_paths_;  // may be applied after a next hop is found
  std::set<wire::VpnPrefix> dirty_;
  std::vector<const policy::Definition*> recent_policies_;  // in force at some time since the last quiet point
  bool next_hops_moved_ = false;                            // since the last quiet point
  std::optional<std::string> failure_;
  std::uint64_t tolerated_ = 0;
  bool tolerant_ = false, silent_ = false, unreadable_ = false;
};

}  // namespace helio::test
