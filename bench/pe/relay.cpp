#include "bench/pe/relay.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "rr/base/bytes.hpp"

namespace helio::pe {
namespace {

constexpr std::size_t kWrite = 256 * 1024;
constexpr std::size_t kBlock = 1024 * 1024;
constexpr std::size_t kMaxIov = 1024;
constexpr std::uint64_t kMaxQueued = 256ull << 20;

// Received bytes; freed when the last queue entry into it is written.
struct Block {
  std::unique_ptr<std::uint8_t[]> data = std::make_unique_for_overwrite<std::uint8_t[]>(kBlock);
  std::size_t used = 0;
  std::uint64_t references = 0;
};

struct Entry {
  Block* block;
  std::uint32_t from, to;
};

struct Peer {
  int fd = -1;
  std::uint64_t received = 0;
  std::uint32_t position = 0;  // VRF whose bytes come next
  bool is_blocked = false, is_writer = false;
  std::vector<Entry> queue;
  std::size_t head = 0;
};

// A piece of one VRF's bytes read in this turn.
struct Segment {
  std::uint32_t vrf, source;
  std::uint32_t cycle;
  const std::uint8_t* data;
  std::uint32_t size;
};

class Relay {
 public:
  Relay(int listener, const Plan& plan, const RelayPlan& relay)
      : listener_(listener),
        plan_(plan),
        relay_(relay),
        peers_(plan.pes()),
        epoll_(epoll_create1(EPOLL_CLOEXEC)),
        has_rtc_(relay.has_rtc),
        scratch_(has_rtc_ ? kTurn + kWrite : 0) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = kListener;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event);
    if (has_rtc_) {
      members_.resize(plan.vrfs());
      for (std::uint32_t pe = 0; pe < plan.pes(); ++pe) {
        for (std::uint32_t position = 0; position < plan.import_positions(); ++position) {
          std::uint32_t vrf = plan.vrf_of_import(pe, position);
          if (vrf != Plan::kNone) members_[vrf].push_back(pe);
        }
      }
    }
  }

  void run() {
    epoll_event events[1024];
    for (;;) {
      int count = epoll_wait(epoll_, events, std::size(events), writers_.empty() ? -1 : 0);
      std::size_t budget = kTurn;
      for (int i = 0; i < count; ++i) {
        std::uint32_t id = events[i].data.u32;
        if (id == kListener) {
          accept_all();
          continue;
        }
        Peer& peer = peers_[id];
        if (events[i].events & EPOLLOUT && peer.is_blocked) {
          peer.is_blocked = false;
          interest(id);
          want_write(id);
        }
        // Why: bounded turns keep what was read in cache until it is written to everybody.
        if (events[i].events & EPOLLIN && budget >= kWrite && queued_ < kMaxQueued) budget -= read(id);
      }
      if (has_rtc_) distribute();
      now_.swap(writers_);
      for (std::uint32_t pe : now_) write(pe);
      now_.clear();
    }
  }

 private:
  static constexpr std::uint32_t kListener = 0xffffffff;
  static constexpr std::size_t kTurn = 8u << 20;

  void accept_all() {
    sockaddr_in from{};
    socklen_t size = sizeof from;
    for (;;) {
      int fd = accept4(listener_, reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      int one = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      std::uint32_t pe = plan_.pe_of(ntohl(from.sin_addr.s_addr));
      if (pe == Plan::kNone) {
        ::close(fd);
        continue;
      }
      peers_[pe].fd = fd;
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.u32 = pe;
      epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    }
  }

  void interest(std::uint32_t pe) {
    epoll_event event{};
    event.events = EPOLLIN | (peers_[pe].is_blocked ? unsigned{EPOLLOUT} : 0u);
    event.data.u32 = pe;
    epoll_ctl(epoll_, EPOLL_CTL_MOD, peers_[pe].fd, &event);
  }

  Block* room(std::size_t size) {
    if (current_ == nullptr || kBlock - current_->used < size) {
      if (current_ != nullptr) release(current_);
      current_ = free_.empty() ? new Block : free_.back();
      if (!free_.empty()) free_.pop_back();
      current_->used = 0;
      current_->references = 1;
    }
    return current_;
  }
  void release(Block* block) {
    if (--block->references == 0) free_.push_back(block);
  }

  void want_write(std::uint32_t pe) {
    Peer& peer = peers_[pe];
    if (peer.is_writer || peer.is_blocked || peer.fd < 0) return;
    peer.is_writer = true;
    writers_.push_back(pe);
  }

  void enqueue(std::uint32_t pe, Block* block, std::size_t from, std::size_t to) {
    if (from == to) return;
    Peer& peer = peers_[pe];
    ++block->references;
    queued_ += to - from;
    if (!peer.queue.empty() && peer.head < peer.queue.size()) {
      Entry& last = peer.queue.back();
      if (last.block == block && last.to == from) {
        last.to = static_cast<std::uint32_t>(to);
        --block->references;
        return want_write(pe);
      }
    }
    peer.queue.push_back({block, static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(to)});
    want_write(pe);
  }

  std::size_t read(std::uint32_t pe) {
    Peer& peer = peers_[pe];
    if (!has_rtc_) {
      Block* block = room(kWrite);
      ssize_t n = recv(peer.fd, block->data.get() + block->used, kWrite, 0);
      if (n <= 0) return gone(pe, n);
      std::size_t from = block->used;
      block->used += static_cast<std::size_t>(n);
      for (std::uint32_t to = 0; to < peers_.size(); ++to) {
        if (to != pe) enqueue(to, block, from, block->used);
      }
      return static_cast<std::size_t>(n);
    }
    ssize_t n = recv(peer.fd, scratch_.data() + scratch_used_, kWrite, 0);
    if (n <= 0) return gone(pe, n);
    const std::uint8_t* p = scratch_.data() + scratch_used_;
    scratch_used_ += static_cast<std::size_t>(n);
    std::uint64_t left = static_cast<std::uint64_t>(n);
    const auto& ends = relay_.slice_ends[pe];
    while (left > 0 && peer.position < ends.size()) {
      std::uint64_t take = std::min<std::uint64_t>(left, ends[peer.position] - peer.received);
      std::uint32_t cycle;
      std::uint32_t vrf = plan_.vrf_at(pe, peer.position, cycle);
      segments_.push_back({vrf, pe, cycle, p, static_cast<std::uint32_t>(take)});
      p += take;
      left -= take;
      peer.received += take;
      if (peer.received == ends[peer.position]) ++peer.position;
    }
    return static_cast<std::size_t>(n);
  }

  std::size_t gone(std::uint32_t pe, ssize_t n) {
    if (n == 0) {
      ::close(peers_[pe].fd);
      peers_[pe].fd = -1;
      if (++gone_ == peers_.size()) _exit(0);
    }
    return 0;
  }

  // The turn's bytes of one VRF lie together, so that a receiver gets few long pieces.
  void distribute() {
    if (segments_.empty()) return;
    std::stable_sort(segments_.begin(), segments_.end(),
                     [](const Segment& a, const Segment& b) { return a.vrf < b.vrf; });
    std::size_t at = 0;
    while (at < segments_.size()) {
      std::size_t stop = at, total = 0;
      while (stop < segments_.size() && segments_[stop].vrf == segments_[at].vrf &&
             (total == 0 || total + segments_[stop].size <= kWrite)) {
        total += segments_[stop++].size;
      }
      Block* block = room(total);
      std::size_t first = block->used;
      for (std::size_t i = at; i < stop; ++i) {
        std::memcpy(block->data.get() + block->used, segments_[i].data, segments_[i].size);
        block->used += segments_[i].size;
      }
      for (std::uint32_t pe : members_[segments_[at].vrf]) {
        std::size_t from = first, to = first;
        for (std::size_t i = at; i < stop; ++i) {
          bool wanted = segments_[i].source != pe && plan_.imports(pe, segments_[i].vrf, segments_[i].cycle);
          if (!wanted) {
            enqueue(pe, block, from, to);
            from = to + segments_[i].size;
          }
          to += segments_[i].size;
        }
        enqueue(pe, block, from, to);
      }
      at = stop;
    }
    segments_.clear();
    scratch_used_ = 0;
  }

  void write(std::uint32_t pe) {
    Peer& peer = peers_[pe];
    peer.is_writer = false;
    if (peer.fd < 0) return;
    iovec iov[kMaxIov];
    std::size_t count = 0, total = 0;
    for (std::size_t i = peer.head; i < peer.queue.size() && count < kMaxIov && total < kWrite; ++i) {
      const Entry& e = peer.queue[i];
      std::size_t n = std::min<std::size_t>(e.to - e.from, kWrite - total);
      iov[count++] = {e.block->data.get() + e.from, n};
      total += n;
    }
    if (count == 0) return;
    msghdr message{};
    message.msg_iov = iov;
    message.msg_iovlen = count;
    ssize_t sent = sendmsg(peer.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    std::size_t left = sent > 0 ? static_cast<std::size_t>(sent) : 0;
    queued_ -= left;
    bool is_full = left < total;
    while (left > 0) {
      Entry& e = peer.queue[peer.head];
      std::size_t n = std::min<std::size_t>(left, e.to - e.from);
      e.from += static_cast<std::uint32_t>(n);
      left -= n;
      if (e.from == e.to) {
        release(e.block);
        ++peer.head;
      }
    }
    if (peer.head == peer.queue.size()) {
      peer.queue.clear();
      peer.head = 0;
    } else if (peer.head > 4096 && peer.head * 2 > peer.queue.size()) {
      peer.queue.erase(peer.queue.begin(), peer.queue.begin() + static_cast<std::ptrdiff_t>(peer.head));
      peer.head = 0;
    }
    if (is_full) {
      peer.is_blocked = true;
      interest(pe);
    } else if (!peer.queue.empty()) {
      want_write(pe);
    }
  }

  int listener_;
  const Plan& plan_;
  const RelayPlan& relay_;
  std::vector<Peer> peers_;
  int epoll_;
  bool has_rtc_;
  std::vector<std::uint8_t> scratch_;
  std::size_t scratch_used_ = 0;
  std::vector<std::vector<std::uint32_t>> members_;
  std::vector<Segment> segments_;
  std::vector<std::uint32_t> writers_, now_;
  std::vector<Block*> free_;
  Block* current_ = nullptr;
  std::uint64_t queued_ = 0;
  std::size_t gone_ = 0;
};

}  // namespace

void run_relay(int listener, const Plan& plan, const RelayPlan& relay) { Relay(listener, plan, relay).run(); }

}  // namespace helio::pe
