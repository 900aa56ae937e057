// MarkedRoutes: memberships by VPN routes with the agreed community (pitfall 1.25 c), counted by target.
#include "rr/reflector/marked_routes.hpp"

#include <gmock/gmock.h>

#include "rr/wire/update_encode.hpp"

namespace helio::reflector {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using wire::Family;
using Octets = std::vector<std::uint8_t>;

Octets nlri(std::initializer_list<const char*> prefixes, std::uint32_t label = 0x641) {
  Octets out;
  for (const char* text : prefixes) {
    wire::VpnPrefix prefix = *wire::parse_prefix(text);
    prefix.rd = *wire::parse_rd("65000:1");
    wire::encode_vpn_nlri(out, prefix, std::vector{label});
  }
  return out;
}

class MarkedRoutesTest : public testing::Test {
 protected:
  void mark(std::initializer_list<const char*> prefixes, std::vector<std::uint64_t> targets) {
    changes_ = {};
    routes_.mark(Family::vpnv4, false, nlri(prefixes), targets, changes_);
  }
  void unmark(std::initializer_list<const char*> prefixes) {
    changes_ = {};
    routes_.unmark(Family::vpnv4, false, true, nlri(prefixes, 0x800000), changes_);
  }
  MarkedRoutes routes_{std::vector<std::uint64_t>{1}};
  MarkedRoutes::Changes changes_;
};

TEST_F(MarkedRoutesTest, AMembershipLastsAsLongAsARouteNamesIt) {
  mark({"10.0.0.0/32", "10.0.0.1/32"}, {2, 3});
  EXPECT_THAT(changes_.began, ElementsAre(2u, 3u));
  mark({"10.0.0.2/32"}, {3});
  EXPECT_THAT(changes_.began, IsEmpty());
  unmark({"10.0.0.0/32", "10.0.0.9/32"});
  EXPECT_THAT(changes_.ended, IsEmpty());
  unmark({"10.0.0.1/32"});
  EXPECT_THAT(changes_.ended, ElementsAre(2u));
  unmark({"10.0.0.2/32"});
  EXPECT_THAT(changes_.ended, ElementsAre(3u));
  EXPECT_EQ(routes_.routes(), 0u);
  EXPECT_THAT(routes_.targets(), ElementsAre(1u));
}

TEST_F(MarkedRoutesTest, OtherTargetsTakeTheirPlace) {
  mark({"10.0.0.0/32"}, {2, 3});
  mark({"10.0.0.0/32"}, {3, 4});
  EXPECT_THAT(changes_.began, ElementsAre(4u));
  EXPECT_THAT(changes_.ended, ElementsAre(2u));
  mark({"10.0.0.0/32"}, {3, 4});
  EXPECT_THAT(changes_.began, IsEmpty());
  EXPECT_THAT(changes_.ended, IsEmpty());
}

TEST_F(MarkedRoutesTest, ConfiguredTargetsStay) {
  mark({"10.0.0.0/32"}, {1});
  EXPECT_THAT(changes_.began, IsEmpty());
  unmark({"10.0.0.0/32"});
  EXPECT_THAT(changes_.ended, IsEmpty());
}

// RFC 8277 §2.4: the label of a withdrawal means nothing; host bits neither.
TEST_F(MarkedRoutesTest, TheKeyIsThePrefix) {
  changes_ = {};
  Octets odd = nlri({"10.0.0.0/25"});
  odd.back() |= 0x55;
  routes_.mark(Family::vpnv4, false, odd, std::vector<std::uint64_t>{7}, changes_);
  unmark({"10.0.0.0/25"});
  EXPECT_THAT(changes_.ended, ElementsAre(7u));
}

// RFC 7313 §4, pitfall 1.21.
TEST_F(MarkedRoutesTest, RefreshSweepsWhatIsNotSaidAgain) {
  mark({"10.0.0.0/32"}, {2});
  mark({"10.0.0.1/32"}, {3});
  routes_.refresh_begins(Family::vpnv4);
  mark({"10.0.0.1/32"}, {3});
  changes_ = {};
  routes_.refresh_ends(Family::vpnv6, changes_);
  EXPECT_THAT(changes_.ended, IsEmpty());
  routes_.refresh_ends(Family::vpnv4, changes_);
  EXPECT_THAT(changes_.ended, ElementsAre(2u));
  routes_.refresh_ends(Family::vpnv4, changes_);
  EXPECT_EQ(routes_.routes(), 1u);
}

}  // namespace
}  // namespace helio::reflector
