// RFC 7911: several paths per prefix, each known by its path id, checked one by one.
#include <gtest/gtest.h>

#include "rr/wire/open.hpp"
#include "tests/unit/pe/reflect.hpp"

namespace helio::pe {
namespace {

constexpr std::uint32_t kRoutes = 5, kOwners = 3, kListener = 3;

PlanOptions three_owners(std::uint32_t add_paths) {
  PlanOptions o;
  o.pes = 4;
  o.announcers = kOwners;
  o.multihoming = kOwners;
  o.vrfs_per_pe = 1;
  o.routes_per_vrf = kRoutes;
  o.rtc = RtcMode::off;
  o.add_paths = add_paths;
  return o;
}

// An UPDATE body with the path id put in front of its only NLRI, and the lengths put right.
Body with_path_id(Body body, std::uint8_t attribute, std::size_t skip, std::uint32_t path_id) {
  for (std::size_t at = 4; at + 4 < body.size();) {
    bool is_long = (body[at] & 0x10) != 0;
    std::size_t size = is_long ? load_be16(body.data() + at + 2) : body[at + 2], head = is_long ? 4 : 3;
    if (body[at + 1] == attribute) {
      std::uint8_t id[4];
      store_be32(id, path_id);
      body.insert(body.begin() + static_cast<std::ptrdiff_t>(at + head + skip), id, id + 4);
      store_be16(body.data() + at + 2, static_cast<std::uint16_t>(size + 4));
      store_be16(body.data() + 2, static_cast<std::uint16_t>(load_be16(body.data() + 2) + 4));
      return body;
    }
    at += head + size;
  }
  ADD_FAILURE() << "no such attribute";
  return body;
}

struct AddPath : testing::Test {
  void use(std::uint32_t add_paths) {
    plan = std::make_unique<Plan>(three_owners(add_paths));
    checker = std::make_unique<Checker>(*plan);
  }
  void announce(std::uint32_t to, std::uint32_t owner, std::uint32_t index, std::uint32_t path_id) {
    ByteVector stream;
    append_routes(stream, *plan, owner, {0, index, 1}, {});
    checker->on_update(to,
                       with_path_id(reflected(split(stream).at(0), plan->address(owner)), 14, 17, path_id));
  }
  void withdraw(std::uint32_t to, std::uint32_t index, std::uint32_t path_id) {
    ByteVector stream;
    append_withdrawals(stream, *plan, 0, {0, index, 1}, 0);
    checker->on_update(to, with_path_id(split(stream).at(0), 15, 3, path_id));
  }
  // Every owner's path of every route, path id = owner + 1.
  void announce_all(std::uint32_t to, std::uint32_t first = 0, std::uint32_t stop = kOwners) {
    for (std::uint32_t owner = first; owner < stop; ++owner) {
      for (std::uint32_t i = 0; i < kRoutes; ++i) announce(to, owner, i, owner + 1);
    }
  }
  std::unique_ptr<Plan> plan;
  std::unique_ptr<Checker> checker;
};

TEST_F(AddPath, EveryPathIsExpectedButOnesOwn) {
  use(8);
  EXPECT_EQ(checker->target(kListener), 3 * kRoutes);
  EXPECT_EQ(checker->target(0), 2 * kRoutes);
  announce_all(kListener);
  EXPECT_TRUE(checker->holds_target(kListener));
  announce_all(0, 1);
  EXPECT_TRUE(checker->holds_target(0));
  EXPECT_TRUE(checker->counters().is_clean());
  announce(0, 0, 0, 9);
  EXPECT_EQ(checker->counters().unexpected, 1u);
}

TEST_F(AddPath, TheSamePathIdReplaces) {  // RFC 7911 §3
  use(8);
  announce_all(kListener);
  announce(kListener, 0, 2, 2);  // path id 2 was the second owner's; the first's own path is there as 1
  EXPECT_EQ(checker->counters().wrong, 1u) << "the same path under two path ids";
  use(8);
  announce(kListener, 1, 2, 7);
  announce(kListener, 2, 2, 7);
  EXPECT_EQ(checker->held(kListener), 1u);
  EXPECT_EQ(checker->counters().duplicates, 0u);
  announce(kListener, 2, 2, 7);
  EXPECT_EQ(checker->counters().duplicates, 1u);
}

TEST_F(AddPath, AWithdrawalNamesItsPathId) {
  use(8);
  announce_all(kListener);
  withdraw(kListener, 1, 9);
  EXPECT_EQ(checker->counters().unknown_withdrawals, 1u);
  withdraw(kListener, 1, 2);
  EXPECT_EQ(checker->held(kListener), 3 * kRoutes - 1);
  withdraw(kListener, 1, 2);
  EXPECT_EQ(checker->counters().unknown_withdrawals, 2u);
}

TEST_F(AddPath, OnlyTheBestSoManyAreExpected) {
  use(2);
  EXPECT_EQ(checker->target(kListener), 2 * kRoutes);
  EXPECT_EQ(checker->target(0), kRoutes) << "one of the best two is its own";
  EXPECT_EQ(checker->target(2), 2 * kRoutes);
  announce_all(kListener, 0, 2);
  EXPECT_TRUE(checker->holds_target(kListener));
  announce(kListener, 2, 0, 3);
  EXPECT_FALSE(checker->holds_target(kListener));
  EXPECT_EQ(checker->compare().surplus, 1u);
  withdraw(kListener, 0, 3);
  EXPECT_TRUE(checker->holds_target(kListener));
  // The best leaves: the number of paths stays the same, but they are not the right ones.
  checker->set_present(0, false);
  checker->refresh_targets();
  EXPECT_EQ(checker->target(kListener), 2 * kRoutes);
  EXPECT_FALSE(checker->holds_target(kListener));
  for (std::uint32_t i = 0; i < kRoutes; ++i) {
    withdraw(kListener, i, 1);
    announce(kListener, 2, i, 3);
  }
  EXPECT_TRUE(checker->holds_target(kListener));
  EXPECT_EQ(checker->compare().surplus, 0u);
}

TEST_F(AddPath, WithoutItTheNewBestPathMustBeSeen) {
  use(1);
  auto from = [&](std::uint32_t owner) {
    ByteVector stream;
    append_routes(stream, *plan, owner, {0, 0, kRoutes}, {});
    return reflected(split(stream).at(0), plan->address(owner));
  };
  checker->on_update(kListener, from(0));
  EXPECT_TRUE(checker->holds_target(kListener));
  checker->set_present(0, false);
  checker->refresh_targets();
  EXPECT_FALSE(checker->holds_target(kListener)) << "still the version of the owner that left";
  EXPECT_EQ(checker->compare().surplus, kRoutes);
  checker->on_update(kListener, from(1));
  EXPECT_TRUE(checker->holds_target(kListener));
  EXPECT_EQ(checker->compare().surplus, 0u);
}

TEST(AddPathOpen, IsOfferedAndUnderstood) {  // RFC 7911 §4
  OpenOptions o;
  o.router_id = 0x7f010001;
  o.vpnv6 = true;
  o.add_path = true;
  ByteVector message;
  append_open(message, o);
  auto open = wire::decode_open(Bytes(message).subspan(19));
  ASSERT_TRUE(open.has_value());
  ASSERT_EQ(open->capabilities.add_path.size(), 2u);
  for (const wire::AddPath& a : open->capabilities.add_path) {
    EXPECT_TRUE(a.receive);
    EXPECT_FALSE(a.send);
  }
  Bytes body = Bytes(message).subspan(19);
  EXPECT_FALSE(offers_paths(body, 1, 128)) << "able to receive only";
  for (std::size_t i = 0; i + 3 < message.size(); ++i) {
    if (message[i] == 0 && message[i + 1] == 1 && message[i + 2] == 128 && message[i + 3] == 1)
      message[i + 3] = 3;
  }
  EXPECT_TRUE(offers_paths(body, 1, 128));
  EXPECT_FALSE(offers_paths(body, 2, 128));
  for (std::size_t size = 0; size < body.size(); ++size) offers_paths(body.first(size), 2, 128);  // cut off
}

}  // namespace
}  // namespace helio::pe
