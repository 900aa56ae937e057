#include "rr/export/bmp_service.hpp"

#include <pthread.h>

#include <boost/asio/post.hpp>
#include <future>

#include "rr/base/build_info.hpp"
#include "rr/base/check.hpp"
#include "rr/base/log.hpp"
#include "rr/wire/notification.hpp"
#include "rr/wire/open.hpp"
#include "rr/wire/update_encode.hpp"

namespace helio::exporter {

namespace asio = boost::asio;
using boost::system::error_code;
using session::CloseReason;
using wire::Family;
using wire::FamilySet;

namespace {

constexpr Family kFamilies[] = {Family::vpnv4, Family::vpnv6, Family::evpn, Family::rtc};
constexpr std::uint8_t kAdjRibIn = bit_of(Feed::pre_policy) | bit_of(Feed::post_policy), kAdjRibOut = bit_of(Feed::adj_rib_out);
constexpr std::uint8_t kOfPeers = kAdjRibIn | kAdjRibOut;

}  // namespace

BmpService::BmpService(std::vector<StationSettings> settings, ShardWatches& watches, std::string hostname, std::uint32_t started)
    : watches_(watches), reflector_(watches.reflector()), hostname_(std::move(hostname)), identity_{reflector_.settings().local_as, reflector_.settings().router_id, started} {
  HELIO_CHECK(settings.size() <= kMostStations, "too many BMP stations");
  for (StationSettings& one : settings) add_station(std::move(one));
  hub_.wake = [this] { asio::post(io_, [this] { take(); }); };
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "helio-bmp");
  for (std::uint32_t s = 0; s < watches_.shards(); ++s) {
    FeedIdentity identity = identity_;
    identity.shard = s;
    feeds_.push_back(std::make_unique<ShardFeed>(reflector_.shard(s), hub_, identity, [this] { wake_shards(); }));
    watches_.add(s, *feeds_[s], true);
  }
  asio::post(io_, [this] {
    for (auto& station : stations_) station->start();
  });
}

void BmpService::add_station(StationSettings settings) {
  BmpStation::Callbacks callbacks;
  callbacks.connected = [this](BmpStation& station) { on_connected(station); };
  callbacks.disconnected = [this](BmpStation& station) { on_disconnected(station); };
  callbacks.drained = [this](BmpStation&) { wake_shards(); };
  auto number = static_cast<unsigned>(stations_.size());
  hub_.slot(number).feeds = settings.feeds();
  hub_.slot(number).limit = settings.queue_limit;
  stations_.push_back(std::make_unique<BmpStation>(io_, number, std::move(settings), hub_.slot(number), callbacks));
  statistics_.push_back(std::make_unique<asio::steady_timer>(io_));
  dumps_.resize(stations_.size());
}

// With a Termination, "session administratively closed", behind what is queued.
void BmpService::let_go(BmpStation& station) {
  std::vector<std::uint8_t> last;
  encode_termination(last, {{BmpTlv{bmp_tlv::reason, {0, 0}}}});
  statistics_[station.number()]->cancel();
  station.finish(std::move(last));
}

bool BmpService::reconfigure(const std::vector<StationSettings>& wanted) {
  std::promise<bool> answer;
  asio::post(io_, [&] {
    auto is_there = [&](const StationSettings& settings) {
      return std::ranges::any_of(stations_, [&](const auto& s) { return !s->is_finishing() && s->settings() == settings; });
    };
    auto fresh = static_cast<std::size_t>(std::ranges::count_if(wanted, [&](const StationSettings& s) { return !is_there(s); }));
    if (stations_.size() + fresh > kMostStations) return answer.set_value(false);
    for (auto& station : stations_) {
      if (station->is_finishing() || std::ranges::find(wanted, station->settings()) != wanted.end()) continue;
      on_every_shard([slot = station->number()](ShardFeed& feed) { feed.disarm(slot); });
      let_go(*station);
    }
    for (const StationSettings& settings : wanted) {
      if (is_there(settings)) continue;
      add_station(settings);
      stations_.back()->start();
    }
    answer.set_value(true);
  });
  return answer.get_future().get();
}

BmpService::~BmpService() {  // NOLINT(bugprone-exception-escape): memory may be short here as anywhere, and ends heliod
  std::promise<void> ended;
  asio::post(io_, [this] {
    for (auto& station : stations_)
      if (!station->is_finishing()) let_go(*station);
  });
  auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  auto all_finished = [this] {
    std::promise<bool> answer;
    asio::post(io_, [&] { answer.set_value(std::ranges::all_of(stations_, [](const auto& s) { return !s->is_connected(); })); });
    return answer.get_future().get();
  };
  while (std::chrono::steady_clock::now() < patience && !all_finished()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  io_.stop();
  thread_.join();
  // Behind what was posted to the shards before: nothing of it finds its feed gone.
  for (std::uint32_t s = 0; s < feeds_.size(); ++s) watches_.remove(s, *feeds_[s]);
}

void BmpService::run() { io_.run(); }

void BmpService::wake_shards() {
  for (std::uint32_t s = 0; s < reflector_.sessions().shards(); ++s) reflector_.sessions().control(ShardId(s)).wake();
}

std::vector<StationStatus> BmpService::status() {
  std::promise<std::vector<StationStatus>> answer;
  asio::post(io_, [&] {
    std::vector<StationStatus> all;
    for (const auto& station : stations_)
      if (!station->is_finishing()) all.push_back(station->status());
    answer.set_value(std::move(all));
  });
  return answer.get_future().get();
}

template <class Function>
void BmpService::on_every_shard(Function function) {
  for (std::uint32_t s = 0; s < feeds_.size(); ++s) watches_.post(s, *feeds_[s], function);
}

// --- Stations ---------------------------------------------------------------------------------------------------------

void BmpService::on_connected(BmpStation& station) {
  std::vector<std::uint8_t> hello;
  encode_initiation(hello, {{BmpTlv::of(bmp_tlv::description, "Heliograph " + std::string(build_info().version)), BmpTlv::of(bmp_tlv::name, hostname_)}});
  std::uint8_t feeds = station.settings().feeds();
  if ((feeds & kOfPeers) != 0)
    for (const auto& [id, session] : sessions_) {
      if (!session.is_up) continue;
      std::vector<std::uint8_t> up = peer_up(session);
      hello.insert(hello.end(), up.begin(), up.end());
    }
  if ((feeds & bit_of(Feed::loc_rib)) != 0) {
    std::vector<std::uint8_t> up = loc_rib_up();
    hello.insert(hello.end(), up.begin(), up.end());
  }
  station.queue(std::move(hello));
  // Each shard has a walk of its RIB, and one of what its peers were sent.
  dumps_[station.number()] = {station.epoch(), static_cast<std::uint32_t>(feeds_.size() * ((feeds & kAdjRibOut) != 0 ? 2 : 1))};
  on_every_shard([slot = station.number(), epoch = station.epoch()](ShardFeed& feed) { feed.arm(slot, epoch); });
  arm_statistics(station.number());
}

void BmpService::on_disconnected(BmpStation& station) {
  statistics_[station.number()]->cancel();
  on_every_shard([slot = station.number()](ShardFeed& feed) { feed.disarm(slot); });
}

void BmpService::to_stations(std::uint8_t feeds, const std::vector<std::uint8_t>& message) {
  for (auto& station : stations_)
    if (station->is_connected() && (station->settings().feeds() & feeds) != 0) station->queue(message);
}

// --- What shards say --------------------------------------------------------------------------------------------------

void BmpService::take() {
  for (ExportHub::Item& item : hub_.take()) std::visit([this](auto& one) { handle(one); }, item);
  for (auto& station : stations_)
    if (hub_.slot(station->number()).overflowed.load(std::memory_order_relaxed)) station->reset("its queue was full: it starts over");
}

bool BmpService::is_current(const FeedChunk::Segment& segment) const {
  if (!segment.peer.valid()) return true;
  auto at = sessions_.find(segment.peer);
  return at != sessions_.end() && at->second.is_up && at->second.number == segment.session;
}

void BmpService::handle(std::shared_ptr<const FeedChunk>& chunk) {
  for (auto& station : stations_) {
    if ((chunk->stations >> station->number() & 1) == 0) continue;
    std::size_t kept = 0, from = 0, begin = 0;
    std::uint64_t messages = 0;
    auto queue = [&](std::size_t to) {
      if (to > from) station->queue(chunk, from, to, messages);
      kept += to - from;
      messages = 0;
    };
    if (station->is_connected()) {
      for (const FeedChunk::Segment& segment : chunk->segments) {
        if (is_current(segment)) {
          messages += segment.messages;
        } else {
          queue(begin);
          from = segment.end;
        }
        begin = segment.end;
      }
      queue(begin);
    }
    hub_.slot(station->number()).queued.fetch_sub(chunk->bytes.size() - kept, std::memory_order_relaxed);
  }
}

void BmpService::handle(ExportHub::SessionUp& up) {
  Session& session = sessions_[up.peer.peer];
  if (session.is_up && session.number == up.session) return;  // told again to one who came late
  session = {std::move(up.peer), up.session, up.time, true};
  to_stations(kOfPeers, peer_up(session));
}

void BmpService::handle(ExportHub::SessionDown& down) {
  auto at = sessions_.find(down.peer);
  if (at == sessions_.end() || !at->second.is_up || at->second.number != down.session) return;
  BmpPeerDown message;
  message.peer = peer_of(at->second);
  message.peer.time = down.time;
  std::vector<std::uint8_t> data;
  const reflector::SessionEnd& end = down.end;
  if (end.notification) {
    message.reason = end.is_sent ? PeerDownReason::local_notification : PeerDownReason::remote_notification;
    wire::encode_notification(data, *end.notification);
  } else if (end.reason == CloseReason::tcp_closed || end.reason == CloseReason::tcp_error) {
    message.reason = PeerDownReason::remote_no_data;
  } else if (end.reason == CloseReason::deconfigured) {
    message.reason = PeerDownReason::deconfigured;
  } else {
    message.reason = PeerDownReason::local_fsm_event;
    data = {0, 0};  // RFC 7854 §4.9: no event code that would say it
  }
  message.data = data;
  std::vector<std::uint8_t> bytes;
  encode_peer_down(bytes, message);
  at->second.is_up = false;
  to_stations(kOfPeers, bytes);
}

// The peer's, to be told behind the routes that it is the end of: these are told by all shards.
void BmpService::handle(ExportHub::EndOfRib& end) {
  std::uint64_t token = next_token_++;
  fences_[token] = {end, static_cast<std::uint32_t>(feeds_.size())};
  on_every_shard([token](ShardFeed& feed) { feed.fence(token); });
}

void BmpService::handle(ExportHub::FenceReached& reached) {
  auto at = fences_.find(reached.token);
  if (at == fences_.end() || --at->second.missing != 0) return;
  ExportHub::EndOfRib end = at->second.end;
  fences_.erase(at);
  auto session = sessions_.find(end.peer);
  if (session == sessions_.end() || !session->second.is_up || session->second.number != end.session) return;
  for (auto& station : stations_) {
    std::uint8_t feeds = station->settings().feeds() & kAdjRibIn;
    if (station->is_connected() && feeds != 0) station->queue(ends_of_rib(session->second, FamilySet::of(end.family), feeds));
  }
}

// RFC 7854 §5: "Once it has sent all the routes for a given peer, it MUST send an End-of-RIB message for that peer".
void BmpService::handle(ExportHub::WalkDone& done) {
  Dump& dump = dumps_[done.slot];
  BmpStation& station = *stations_[done.slot];
  if (!station.is_connected() || dump.epoch != done.epoch || --dump.missing != 0) return;
  std::uint8_t feeds = station.settings().feeds();
  std::vector<std::uint8_t> ends;
  auto add = [&](const std::vector<std::uint8_t>& more) { ends.insert(ends.end(), more.begin(), more.end()); };
  if ((feeds & kOfPeers) != 0)
    for (const auto& [id, session] : sessions_)
      if (session.is_up) add(ends_of_rib(session, session.peer.families, feeds & kOfPeers));
  if ((feeds & bit_of(Feed::loc_rib)) != 0) add(ends_of_rib({}, loc_rib_families(), bit_of(Feed::loc_rib)));
  station.queue(std::move(ends));
  station.set_has_routes();
  log::info("bmp station={} is up to date", wire::format_ip(station.settings().address));
}

// --- Messages ---------------------------------------------------------------------------------------------------------

BmpPeer BmpService::peer_of(const Session& session) const {
  BmpPeer peer;
  peer.address = session.peer.address;
  peer.as = session.peer.peer_as;
  peer.router_id = session.peer.router_id;
  peer.time = session.since;
  return peer;
}

BmpPeer BmpService::loc_rib_peer() const {
  return {.type = BmpPeerType::loc_rib, .as = identity_.local_as, .router_id = identity_.router_id, .time = bmp_now()};
}

std::vector<std::uint8_t> BmpService::peer_up(const Session& session) const {
  BmpPeerUp message;
  message.peer = peer_of(session);
  message.local_address = session.peer.local_address;
  static const session::SessionOpens kNone;
  const session::SessionOpens& opens = session.peer.opens != nullptr ? *session.peer.opens : kNone;
  message.local_port = opens.local_port;
  message.remote_port = opens.remote_port;
  message.sent_open = opens.sent;
  message.received_open = opens.received;
  std::vector<std::uint8_t> bytes;
  encode_peer_up(bytes, message);
  return bytes;
}

FamilySet BmpService::loc_rib_families() const {
  FamilySet families = FamilySet::of(Family::vpnv4) | FamilySet::of(Family::vpnv6);
  return reflector_.settings().evpn ? families | FamilySet::of(Family::evpn) : families;
}

// RFC 9069 §5.2: OPENs of our own making, with the four-octet AS capability and the families.
std::vector<std::uint8_t> BmpService::loc_rib_up() const {
  wire::OpenMessage open;
  open.set_as(identity_.local_as);
  open.bgp_identifier = identity_.router_id;
  for (Family family : kFamilies)
    if (loc_rib_families().contains(family)) open.capabilities.multiprotocol.push_back(wire::afi_safi(family));
  std::vector<std::uint8_t> octets, bytes;
  wire::encode_open(octets, open);
  BmpPeerUp message;
  message.peer = loc_rib_peer();
  message.sent_open = message.received_open = octets;
  message.information.push_back(BmpTlv::of(bmp_tlv::table_name, "global"));
  encode_peer_up(bytes, message);
  return bytes;
}

std::vector<std::uint8_t> BmpService::ends_of_rib(const Session& session, FamilySet families, std::uint8_t feeds) const {
  std::vector<std::uint8_t> bytes, update;
  for (Feed feed : {Feed::pre_policy, Feed::post_policy, Feed::loc_rib, Feed::adj_rib_out}) {
    if ((feeds & bit_of(feed)) == 0) continue;
    BmpPeer peer = feed == Feed::loc_rib ? loc_rib_peer() : peer_of(session);
    peer.time = bmp_now();
    if (feed == Feed::post_policy) peer.flags = bmp_flag::post_policy;
    if (feed == Feed::adj_rib_out) peer.flags = bmp_flag::post_policy | bmp_flag::adj_rib_out;
    for (Family family : kFamilies) {
      if (!families.contains(family) || (feed == Feed::adj_rib_out && family == Family::rtc)) continue;
      update.clear();
      wire::encode_end_of_rib(update, family);
      encode_route_monitoring(bytes, peer, update);
    }
  }
  return bytes;
}

// --- Statistics -------------------------------------------------------------------------------------------------------

void BmpService::arm_statistics(unsigned station) {
  std::chrono::seconds interval = stations_[station]->settings().stats_interval;
  if (interval.count() == 0) return;
  statistics_[station]->expires_after(interval);
  statistics_[station]->async_wait([this, station](const error_code& error) {
    if (error || !stations_[station]->is_connected()) return;
    send_statistics(*stations_[station]);
    arm_statistics(station);
  });
}

// What the shards count of each peer is asked of them, one after the other; it is read in microseconds.
void BmpService::send_statistics(BmpStation& station) {
  using Counts = std::array<std::uint64_t, wire::kFamilyCount>;
  std::map<PeerId, Counts> received;
  Counts prefixes{};
  auto shards = static_cast<std::uint32_t>(feeds_.size());
  for (std::uint32_t s = 0; s < shards; ++s) {
    reflector::Shard& shard = reflector_.shard(s);
    reflector_.sessions().shard(ShardId(s)).call([&] {
      for (reflector::RibShard* slice : {&shard.rib(), shard.evpn()}) {
        if (slice == nullptr) continue;
        const rib::RibShared& shared = slice->shared();
        for (std::uint32_t p = 0; p < shared.peers.size(); ++p)
          for (std::size_t f = 0; f < wire::kFamilyCount; ++f)
            if (shared.peers[p].paths[f] != 0) received[PeerId(p)][f] += shared.peers[p].paths[f];
        for (std::size_t f = 0; f < wire::kFamilyCount; ++f) prefixes[f] += shared.counters.prefixes[f];
      }
      for (auto& [id, session] : sessions_)
        if (const reflector::Membership* m = id.value % shards == s ? shard.distribution().membership(id) : nullptr)
          received[id][wire::index(Family::rtc)] += m->size();
      return 0;
    });
  }
  auto report = [](BmpPeer peer, FamilySet families, const Counts& counts, std::uint16_t all, std::uint16_t by_family) {
    BmpStatistics message{peer, {{all, std::nullopt, 0}}};
    for (Family family : kFamilies) {
      if (!families.contains(family)) continue;
      message.statistics[0].value += counts[wire::index(family)];
      message.statistics.push_back({by_family, wire::afi_safi(family), counts[wire::index(family)]});
    }
    message.peer.time = bmp_now();
    return message;
  };
  std::vector<std::uint8_t> bytes;
  std::uint8_t feeds = station.settings().feeds();
  if ((feeds & kAdjRibIn) != 0)
    for (const auto& [id, session] : sessions_)
      if (session.is_up) encode_statistics(bytes, report(peer_of(session), session.peer.families, received[id], bmp_stat::adj_rib_in, bmp_stat::adj_rib_in_family));
  // RFC 8671 §6.2: behind the policies; what was before them is not kept. "MUST have the O flag set to zero".
  if ((feeds & kAdjRibOut) != 0) {
    std::map<wire::IpAddress, Counts> sent;
    for (const reflector::PeerView& view : reflector_.peers())
      for (const reflector::PeerFamilyView& family : view.families) sent[view.address][wire::index(family.family)] = family.sent;
    for (const auto& [id, session] : sessions_) {
      if (!session.is_up) continue;
      FamilySet families = session.peer.families;
      families.erase(Family::rtc);
      encode_statistics(bytes, report(peer_of(session), families, sent[session.peer.address], bmp_stat::adj_rib_out_post, bmp_stat::adj_rib_out_post_family));
    }
  }
  if ((feeds & bit_of(Feed::loc_rib)) != 0)
    encode_statistics(bytes, report(loc_rib_peer(), loc_rib_families(), prefixes, bmp_stat::loc_rib, bmp_stat::loc_rib_family));
  if (!bytes.empty()) station.queue(std::move(bytes));
}

}  // namespace helio::exporter
