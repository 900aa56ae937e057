#include "tests/support/scripted_peer.hpp"

#include <fmt/format.h>

#include "tests/support/evpn_disguise.hpp"

namespace helio::test {

using wire::Family;

void ScriptedPeer::session_up() {
  session_down();
  up_ = true;
}

void ScriptedPeer::session_down() {
  up_ = false;
  stream_.clear();
  vpn_.clear();
  rtc_.clear();
  end_of_ribs_ = {};
  refreshing_.clear();
  stale_vpn_.clear();
  stale_rtc_.clear();
}

void ScriptedPeer::receive(Bytes octets) {
  octets_ += octets.size();
  for (std::uint8_t octet : octets) digest_ = (digest_ ^ octet) * 1099511628211u;
  stream_.insert(stream_.end(), octets.begin(), octets.end());
  std::size_t at = 0;
  while (stream_.size() - at >= 19) {
    std::size_t length = load_be16(stream_.data() + at + 16);
    if (length < 19 || length > (spec_.extended_messages ? 65535u : 4096u)) {
      violation(fmt::format("message of {} octets", length));
      stream_.clear();
      return;
    }
    if (stream_.size() - at < length) break;
    message(Bytes(stream_).subspan(at, length));
    at += length;
  }
  stream_.erase(stream_.begin(), stream_.begin() + static_cast<std::ptrdiff_t>(at));
}

void ScriptedPeer::receive_message(Bytes octets) {
  if (!stream_.empty()) violation("control message inside another message");
  if (octets.size() < 19 || load_be16(octets.data() + 16) != octets.size()) return violation("control message with a wrong length");
  message(octets);
}

void ScriptedPeer::message(Bytes message) {
  ++messages_;
  for (std::size_t i = 0; i < 16; ++i)
    if (message[i] != 0xff) return violation("marker");
  switch (message[18]) {
    case 2: {
      if (!is_disguised_) return update(message.subspan(19));
      std::vector<std::string> defects;
      Octets body = reveal_update(message.subspan(19), defects);
      for (const std::string& defect : defects) violation(defect);
      update(body);
      break;
    }
    case 5: route_refresh(is_disguised_ ? reveal_refresh(message.subspan(19)) : Octets(message.begin() + 19, message.end())); break;
    default: violation(fmt::format("message type {} from the engine", message[18]));
  }
}

// RFC 7313 §4: what was not sent again between BoRR and EoRR is gone.
void ScriptedPeer::route_refresh(Bytes body) {
  if (body.size() != 4) return violation("ROUTE-REFRESH length");
  auto family = wire::family_of({load_be16(body.data()), body[3]});
  unsigned subtype = body[2];
  if (!family || !spec_.has(*family)) return violation("ROUTE-REFRESH for a family not negotiated");
  if (subtype == 0) {  // the reflector asks us
    rtc_is_asked_for_ = rtc_is_asked_for_ || *family == wire::Family::rtc;
    return;
  }
  if (!spec_.enhanced_refresh) return violation("BoRR/EoRR without the capability");
  if (subtype == 1) {
    stale_vpn_[*family].clear();
    stale_rtc_[*family].clear();
    for (const auto& [prefix, route] : vpn_)
      if (prefix.is_v6 == (*family == Family::vpnv6) && *family != Family::rtc) stale_vpn_[*family].insert(prefix);
    if (*family == Family::rtc)
      for (const auto& [membership, attributes] : rtc_) stale_rtc_[*family].insert(membership);
  } else if (subtype == 2) {
    if (!stale_vpn_.contains(*family)) violation("EoRR without BoRR");
    for (const PathKey& prefix : stale_vpn_[*family]) vpn_.erase(prefix);
    for (const wire::RtMembership& membership : stale_rtc_[*family]) rtc_.erase(membership);
    stale_vpn_.erase(*family);
    stale_rtc_.erase(*family);
  } else {
    violation(fmt::format("ROUTE-REFRESH subtype {}", subtype));
  }
}

void ScriptedPeer::update(Bytes body) {
  NaiveUpdate update = decode_body(body, spec_.four_octet_as, spec_.is_external(), spec_.add_path_send);
  for (const std::string& defect : update.defects) violation("malformed: " + defect);
  if (!update.withdrawn.empty() && update.withdraw_label != 0x800000) violation("withdrawal not labelled 0x800000");  // RFC 8277 §2.4
  for (auto family : {update.reach, update.unreach, update.end_of_rib})
    if (family && !spec_.has(*family)) return violation("family not negotiated");
  if (update.end_of_rib) {
    // wire 2.7: one per family and session; pitfall 1.7: the RTC one first.
    if (++end_of_ribs_[wire::index(*update.end_of_rib)] > 1) violation("second End-of-RIB of " + std::string(wire::family_label(*update.end_of_rib)));
    if (*update.end_of_rib != Family::rtc && spec_.has(Family::rtc) && end_of_ribs(Family::rtc) == 0) violation("VPN End-of-RIB before that of RTC");
    observer_.on_end_of_rib(*this, *update.end_of_rib);
    return;
  }
  routes_ += update.announced.size() + update.withdrawn.size() + update.announced_rtc.size() + update.withdrawn_rtc.size();
  for (const PathKey& prefix : update.withdrawn) {
    observer_.on_withdrawn(*this, prefix, vpn_.contains(prefix));
    vpn_.erase(prefix);
    if (auto stale = stale_vpn_.find(*update.unreach); stale != stale_vpn_.end()) stale->second.erase(prefix);
  }
  for (const wire::RtMembership& membership : update.withdrawn_rtc) {
    observer_.on_rtc_withdrawn(*this, membership, rtc_.contains(membership));
    rtc_.erase(membership);
    if (auto stale = stale_rtc_.find(Family::rtc); stale != stale_rtc_.end()) stale->second.erase(membership);
  }
  for (const LabelledPrefix& entry : update.announced) {
    HeldRoute route{entry.labels, update.attributes};
    auto held = vpn_.find(entry.prefix);
    observer_.on_announced(*this, entry.prefix, route, held == vpn_.end() ? nullptr : &held->second);
    vpn_[entry.prefix] = route;
    if (auto stale = stale_vpn_.find(*update.reach); stale != stale_vpn_.end()) stale->second.erase(entry.prefix);
  }
  for (const wire::RtMembership& membership : update.announced_rtc) {
    auto held = rtc_.find(membership);
    observer_.on_rtc_announced(*this, membership, update.attributes, held == rtc_.end() ? nullptr : &held->second);
    rtc_[membership] = update.attributes;
    if (auto stale = stale_rtc_.find(Family::rtc); stale != stale_rtc_.end()) stale->second.erase(membership);
  }
}

}  // namespace helio::test
