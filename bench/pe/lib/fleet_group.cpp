#include "bench/pe/lib/fleet_group.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace helio::pe {

FleetGroup::FleetGroup(const FleetOptions& options, const std::vector<std::uint32_t>& addresses,
                       FleetListener& listener, std::uint32_t threads) {
  FleetOptions share = options;
  share.connect_window = std::max(1u, options.connect_window / threads);
  share.ramp = options.ramp / threads;
  for (std::uint32_t t = 0; t < threads; ++t) {
    Lane& lane = *lanes_.emplace_back(std::make_unique<Lane>());
    lane.listener = &listener;
    lane.first = t;
    lane.stride = threads;
    std::vector<std::uint32_t> own;
    for (std::size_t pe = t; pe < addresses.size(); pe += threads) own.push_back(addresses[pe]);
    lane.fleet = std::make_unique<Fleet>(share, std::move(own), lane);
  }
  if (threads == 1) return;
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  for (auto& lane : lanes_) {
    epoll_event event{};
    event.events = EPOLLIN;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, lane->fleet->epoll_fd(), &event);
  }
  for (std::uint32_t t = 1; t < threads; ++t) {
    Lane& lane = *lanes_[t];
    lane.thread = std::thread([this, &lane] { work(lane); });
  }
}

FleetGroup::~FleetGroup() {
  stopping_ = true;
  ++turn_;
  turn_.notify_all();
  for (auto& lane : lanes_) {
    if (lane->thread.joinable()) lane->thread.join();
  }
  if (epoll_ >= 0) ::close(epoll_);
}

void FleetGroup::work(Lane& lane) {
  for (std::uint32_t seen = 0;;) {
    turn_.wait(seen);
    if (stopping_) return;
    ++seen;
    lane.fleet->turn(0);
    if (--busy_ == 0) busy_.notify_one();
  }
}

void FleetGroup::turn(int timeout_ms) {
  if (lanes_.size() == 1) return lanes_[0]->fleet->turn(timeout_ms);
  for (const auto& lane : lanes_) timeout_ms = lane->fleet->wait_ms(timeout_ms);
  epoll_event events[16];
  if (timeout_ms > 0) epoll_wait(epoll_, events, std::size(events), timeout_ms);
  busy_ = static_cast<std::uint32_t>(lanes_.size()) - 1;
  ++turn_;
  turn_.notify_all();
  lanes_[0]->fleet->turn(0);
  for (std::uint32_t left = busy_; left != 0; left = busy_) busy_.wait(left);
}

std::string FleetGroup::last_error() const {
  for (const auto& lane : lanes_) {
    if (!lane->fleet->last_error().empty()) return lane->fleet->last_error();
  }
  return "";
}

}  // namespace helio::pe
