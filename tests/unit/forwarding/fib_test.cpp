// The longest-prefix match against a list searched from end to end, for IPv4 and IPv6, through insertions, replacements
// and removals one by one and in bulk; and read by another thread while it changes.
#include "rib/forwarding/fib.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <thread>

namespace helio::forwarding {
namespace {

template <class Address>
Address mask_of(unsigned length) {
  return length == 0 ? Address{0} : static_cast<Address>(~Address{0} << (sizeof(Address) * 8 - length));
}

template <class Address>
struct NaiveFib {
  std::map<std::pair<Address, unsigned>, NextHopId> routes;
  NextHopId lookup(Address a) const {
    for (unsigned length = sizeof(Address) * 8 + 1; length-- > 0;)
      if (auto at = routes.find({static_cast<Address>(a & mask_of<Address>(length)), length}); at != routes.end()) return at->second;
    return kNoRoute;
  }
};

template <class Address>
class Pair {
 public:
  rib::PrefixKey<Address> key(Address a, unsigned length) { return {static_cast<Address>(a & mask_of<Address>(length)), static_cast<std::uint8_t>(length)}; }
  void insert(Address a, unsigned length, NextHopId n) {
    auto k = key(a, length);
    fib.insert(k, n);
    model.routes[{k.address, length}] = n;
  }
  void erase(Address a, unsigned length) {
    auto k = key(a, length);
    EXPECT_EQ(fib.erase(k), model.routes.erase({k.address, length}) == 1);
  }
  void check(std::mt19937_64& random, int probes) {
    ASSERT_EQ(fib.size(), model.routes.size());
    std::vector<Address> addresses;
    for (const auto& [where, n] : model.routes) {
      auto [address, length] = where;
      Address last = static_cast<Address>(address | ~mask_of<Address>(length));
      for (Address a : {address, last, static_cast<Address>(address - 1), static_cast<Address>(last + 1)}) addresses.push_back(a);
    }
    std::shuffle(addresses.begin(), addresses.end(), random);
    if (addresses.size() > static_cast<std::size_t>(probes)) addresses.resize(static_cast<std::size_t>(probes));
    for (int i = 0; i < probes / 4; ++i) addresses.push_back(static_cast<Address>(random()) | static_cast<Address>(Address(random()) << (sizeof(Address) * 4)));
    std::vector<NextHopId> out(addresses.size()), out2(addresses.size());
    fib.lookup_many(addresses, out);
    std::vector<const Fib<Address>*> fibs(addresses.size(), &fib);
    Fib<Address>::lookup_many(fibs, addresses, out2);
    for (std::size_t i = 0; i < addresses.size(); ++i) {
      NextHopId expected = model.lookup(addresses[i]);
      ASSERT_EQ(fib.lookup(addresses[i]), expected);
      ASSERT_EQ(out[i], expected);
      ASSERT_EQ(out2[i], expected);
    }
  }
  RcuDomain rcu;
  Fib<Address> fib{rcu};
  NaiveFib<Address> model;
};

TEST(Fib, EmptyAndDefault) {
  Pair<Address4> p;
  EXPECT_EQ(p.fib.lookup(0x0a000001), kNoRoute);
  p.insert(0, 0, 7);
  EXPECT_EQ(p.fib.lookup(0), 7u);
  EXPECT_EQ(p.fib.lookup(0xffffffff), 7u);
  p.insert(0xffffffff, 32, 9);
  EXPECT_EQ(p.fib.lookup(0xffffffff), 9u);
  EXPECT_EQ(p.fib.lookup(0xfffffffe), 7u);
  p.erase(0, 0);
  EXPECT_EQ(p.fib.lookup(0xfffffffe), kNoRoute);
  p.erase(0xffffffff, 32);
  EXPECT_EQ(p.fib.lookup(0xffffffff), kNoRoute);
}

template <class Address>
void random_operations(std::uint64_t seed, int operations, unsigned spread_bits) {
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  Pair<Address> p;
  constexpr unsigned kBits = sizeof(Address) * 8;
  Address base = static_cast<Address>(Address(random()) << (kBits - 32));
  for (int i = 0; i < operations; ++i) {
    unsigned length = random() % 10 == 0 ? static_cast<unsigned>(random() % (kBits + 1)) : kBits - 8 - static_cast<unsigned>(random() % 9);
    Address a = static_cast<Address>(base ^ static_cast<Address>((Address(random()) & ((Address{1} << spread_bits) - 1)) << (kBits - 8 - spread_bits)));
    if (random() % 3 == 0 && !p.model.routes.empty()) {
      auto at = p.model.routes.lower_bound({a, 0});
      if (at == p.model.routes.end()) at = p.model.routes.begin();
      p.erase(at->first.first, at->first.second);
    } else {
      p.insert(a, length, 1 + static_cast<NextHopId>(random() % 5));
    }
    if (i % 500 == 499) p.check(random, 300);
    if (testing::Test::HasFatalFailure()) return;
  }
  p.check(random, 2000);
  // Withdrawing everything gives every octet back.
  while (!p.model.routes.empty()) p.erase(p.model.routes.begin()->first.first, p.model.routes.begin()->first.second);
  EXPECT_EQ(p.rcu.account().total_bytes(), 0);
}

TEST(Fib, RandomOperations4) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) random_operations<Address4>(seed, 4000, seed % 2 == 0 ? 6 : 18);
}
TEST(Fib, RandomOperations6) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) random_operations<Address6>(seed, 4000, seed % 2 == 0 ? 20 : 100);
}

TEST(Fib, BulkChangesEqualSingleOnes) {
  std::mt19937_64 random(3);
  Pair<Address4> p;
  for (int round = 0; round < 4; ++round) {
    std::vector<Fib<Address4>::Route> changes;
    for (int i = 0; i < 5000; ++i) {
      unsigned length = 16 + static_cast<unsigned>(random() % 17);
      auto key = p.key(static_cast<Address4>(0x0a000000 | (random() & 0xffffff)), length);
      NextHopId n = round > 0 && random() % 3 == 0 ? kNoRoute : 1 + static_cast<NextHopId>(random() % 1000);
      changes.push_back({key, n});
      if (n == kNoRoute) p.model.routes.erase({key.address, length});
      else p.model.routes[{key.address, length}] = n;
    }
    p.fib.apply(changes);
    p.check(random, 4000);
  }
}

// A default route over 20,000 others: every slot changes, and the others keep what they have.
TEST(Fib, ShortPrefixOverAFullTable) {
  std::mt19937_64 random(4);
  Pair<Address4> p;
  for (int i = 0; i < 20000; ++i) p.insert(static_cast<Address4>(random()), 24, 2 + static_cast<NextHopId>(random() % 7));
  p.insert(0, 0, 1);
  p.check(random, 4000);
  p.insert(0x80000000, 1, 99);
  p.check(random, 4000);
  p.erase(0, 0);
  p.check(random, 4000);
}

TEST(Fib, TenRoutesAreOneSmallBlock) {
  RcuDomain rcu;
  Fib<Address4> fib(rcu);
  for (Address4 i = 0; i < 10; ++i) fib.insert({0x0a000000 + (i << 12), 24}, 5 + i);
  EXPECT_LE(rcu.account().total_bytes(), 480);  // of which the sorted prefixes are about 190
}

// Readers see, at every instant, the state before or after a change: the route that is never touched is always found, the
// one that flips has one of its two next hops, and freed memory is never read (ASan and TSan builds say so).
TEST(Rcu, LookUpsWhileRoutesChange) {
  RcuDomain rcu;
  Fib<Address4> fib(rcu);
  fib.insert({0x0a000000, 8}, 1);
  fib.insert({0x0a010000, 16}, 2);
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> looked{0}, wrong{0};
  RcuDomain::Reader readers[2] = {RcuDomain::Reader(rcu), RcuDomain::Reader(rcu)};
  std::vector<std::thread> threads;
  for (auto& reader : readers)
    threads.emplace_back([&] {
      std::mt19937 random(1);
      while (!stop) {
        for (int i = 0; i < 64; ++i) {
          wrong += fib.lookup(0x0a010203) != 2;
          NextHopId n = fib.lookup(static_cast<Address4>(0x0a020000 + (random() & 0xffff)));
          wrong += n != 1 && (n < 100 || n > 200);
        }
        looked += 64;
        reader.quiescent();
      }
    });
  std::mt19937 random(2);
  for (int i = 0; i < 40000 || looked < 1000; ++i) {
    rib::PrefixKey<Address4> key{static_cast<Address4>(0x0a020000 + (random() & 0xff00)), 24};
    if (random() % 2 != 0) fib.insert(key, static_cast<NextHopId>(100 + random() % 100));
    else fib.erase(key);
  }
  stop = true;
  for (std::thread& t : threads) t.join();
  for (auto& reader : readers) reader.quiescent();
  rcu.reclaim();
  for (auto& reader : readers) reader.quiescent();
  rcu.reclaim();
  EXPECT_EQ(wrong.load(), 0u);
  EXPECT_EQ(rcu.waiting(), 0u);
}

}  // namespace
}  // namespace helio::forwarding
