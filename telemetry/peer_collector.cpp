// Series per peer, in two tiers, under a bound: peers that do not fit are left out as a whole, in the order of their
// addresses, so that the same ones are there in every scrape; how many series are missing is a metric itself.
#include "telemetry/collectors.hpp"
#include "telemetry/families.hpp"

namespace helio::telemetry {
namespace {

// All per-peer families of one scrape.
class PeerFamilies {
 public:
  PeerFamilies(const Labels& names, PerPeer tier) : names_(names), is_full_(tier == PerPeer::full) {}

  static std::uint64_t series_of(const PeerSample& peer, PerPeer tier) {
    std::uint64_t essential = 8 + 2 * peer.families.size();  // up state info established flaps queue lag interest
    for (const PeerFamilySample& family : peer.families) essential += family.limit != 0 ? 1 : 0;
    return tier == PerPeer::full ? essential + 1 : essential;  // updates
  }

  void add(const PeerSample& peer) {
    const PeerIdentity& who = *peer.identity;
    LabelList labels = {{"peer", who.address}, {"group", who.group}};
    auto with = [&](const char* name, const std::string& value) {
      LabelList more = labels;
      more.push_back({name, value});
      return more;
    };
    up_.add(labels, peer.state == 6);
    state_.add(labels, peer.state);
    info_.add({{"peer", who.address}, {"group", who.group}, {"peer_as", who.peer_as}, {"router_id", who.router_id},
               {"hostname", who.hostname}, {"description", who.description}, {"role", who.role}}, 1);
    established_.add(labels, peer.established_timestamp);
    flaps_.add(labels, static_cast<double>(peer.flaps));
    queue_.add(labels, static_cast<double>(peer.output_queue_bytes));
    lag_.add(labels, peer.lag_seconds);
    interest_.add(labels, static_cast<double>(peer.rt_interest));
    for (const PeerFamilySample& family : peer.families) {
      LabelList more = with("family", names_.families.at(family.family));
      if (family.limit != 0) limit_.add(more, static_cast<double>(family.received) / static_cast<double>(family.limit));
      more.push_back({"rib", "adj_in"});
      prefixes_.add(more, static_cast<double>(family.received));
      more.back().value = "adj_out";
      prefixes_.add(std::move(more), static_cast<double>(family.sent));
    }
    if (is_full_) updates_.add(with("direction", "in"), static_cast<double>(peer.updates_in));
  }

  void finish(std::vector<prometheus::MetricFamily>& out) {
    for (FamilyBuilder* family : {&up_, &state_, &info_, &established_, &flaps_, &prefixes_, &limit_, &queue_, &lag_, &interest_,
                                  &updates_})
      family->finish(out);
  }

 private:
  const Labels& names_;
  bool is_full_;
  FamilyBuilder up_ = gauge("peer_up", "1 when the session is Established.");
  FamilyBuilder state_ = gauge("peer_state", "RFC 4271 state: 1 Idle to 6 Established.");
  FamilyBuilder info_ = gauge("peer_info", "1; text about the peer, to be joined on peer.");
  FamilyBuilder established_ = gauge("peer_established_timestamp_seconds", "Since when it is Established, Unix time; 0: it is not.");
  FamilyBuilder flaps_ = counter("peer_flaps_total", "Times an Established session was lost.");
  FamilyBuilder prefixes_ = gauge("peer_prefixes", "Prefixes received from and sent to the peer.");
  FamilyBuilder limit_ = gauge("peer_prefix_limit_ratio", "Prefixes received as a part of the prefix limit.");
  FamilyBuilder queue_ = gauge("peer_output_queue_bytes", "Octets waiting to be sent to the peer.");
  FamilyBuilder lag_ = gauge("peer_lag_seconds", "Age of the oldest change the peer was not sent yet.");
  FamilyBuilder interest_ = gauge("peer_rt_interest", "Route targets the peer asked for; -1: all.");
  FamilyBuilder updates_ = counter("peer_updates_total", "UPDATE messages received.");
};

class PeerCollector : public prometheus::Collectable {
 public:
  PeerCollector(std::shared_ptr<const Board> board, std::shared_ptr<const PeerSeriesLimits> limits)
      : board_(std::move(board)), limits_(std::move(limits)) {}

  std::vector<prometheus::MetricFamily> Collect() const override {
    std::vector<prometheus::MetricFamily> out;
    PerPeer tier = limits_->per_peer.load(std::memory_order_relaxed);
    std::uint64_t left = limits_->max_series.load(std::memory_order_relaxed), dropped = 0;
    if (tier != PerPeer::off) {
      auto sample = board_->sample();
      PeerFamilies families(board_->labels(), tier);
      for (const PeerSample& peer : sample->peers) {
        std::uint64_t series = PeerFamilies::series_of(peer, tier);
        if (dropped > 0 || series > left) {
          dropped += series;
          continue;
        }
        left -= series;
        families.add(peer);
      }
      families.finish(out);
    }
    FamilyBuilder guard = gauge("telemetry_series_dropped", "Series of peers left out because of max-peer-series.");
    guard.add({}, static_cast<double>(dropped));
    guard.finish(out);
    return out;
  }

 private:
  std::shared_ptr<const Board> board_;
  std::shared_ptr<const PeerSeriesLimits> limits_;
};

}  // namespace

Collector make_peer_collector(std::shared_ptr<const Board> board, std::shared_ptr<const PeerSeriesLimits> limits) {
  return std::make_shared<PeerCollector>(std::move(board), std::move(limits));
}

}  // namespace helio::telemetry
