// Memberships for a PE that cannot say them, from the import policy of its group (pitfall 1.25 b).
#include "rr/policy/imported_targets.hpp"

#include <gmock/gmock.h>

namespace helio::policy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ImportedTargets : public testing::Test {
 protected:
  ImportedTargets() {
    d.local_as = 65000;
    d.sets = {{.name = "blue", .route_targets = {"65000:2", "65000:1"}},
              {.name = "all of ours", .route_targets = {"65000:*"}},
              {.name = "addresses", .route_targets = {"192.0.2.1:7", "192.0.2.9:*"}},
              {.name = "everything", .route_targets = {"*"}}};
    d.statements = {{.name = "blue", .any_route_target_in = "blue"},
                    {.name = "ours", .any_route_target_in = "all of ours"},
                    {.name = "addresses", .any_route_target_in = "addresses"},
                    {.name = "everything", .any_route_target_in = "everything"},
                    {.name = "not blue", .any_route_target_in = "blue", .action = Action::reject},
                    {.name = "not blue from there", .any_route_target_in = "blue", .peer_in = "x", .action = Action::reject},
                    {.name = "mark blue", .any_route_target_in = "blue", .action = Action::go_on},
                    {.name = "rest", .action = Action::reject}};
  }
  std::vector<std::string> of(std::vector<std::string> import) {
    d.groups = {{"other", {"everything"}, {}}, {"pe", std::move(import), {"everything"}}};
    std::vector<std::string> out;
    for (const wire::RtMembership& m : imported_targets(d, "pe")) out.push_back(wire::format_membership(m));
    return out;
  }
  Definition d;
};

TEST_F(ImportedTargets, WhatIsAcceptedByName) {
  EXPECT_THAT(of({"blue", "rest"}), ElementsAre("65000:65000:1", "65000:65000:2"));
  EXPECT_THAT(of({"blue", "blue", "rest"}), ElementsAre("65000:65000:1", "65000:65000:2"));
  EXPECT_THAT(of({"mark blue", "rest"}), IsEmpty());
  EXPECT_THAT(of({}), IsEmpty());
  EXPECT_THAT(imported_targets(d, "unknown"), IsEmpty());
}

// RFC 4684 §4: a membership may be as short as the pattern.
TEST_F(ImportedTargets, PatternsBecomeShortMemberships) {
  EXPECT_THAT(of({"ours"}), ElementsAre("65000:0x0002fde8/64"));
  std::vector<wire::RtMembership> m = imported_targets(d, "pe");
  EXPECT_TRUE(m[0].matches(*wire::parse_rt("65000:77")));
  EXPECT_FALSE(m[0].matches(*wire::parse_rt("65001:77")));
  of({"addresses"});
  m = imported_targets(d, "pe");
  ASSERT_EQ(m.size(), 2u);
  EXPECT_TRUE(m[0].matches(*wire::parse_rt("192.0.2.9:1234")));
  EXPECT_TRUE(m[1].matches(*wire::parse_rt("192.0.2.1:7")));
  of({"everything"});
  m = imported_targets(d, "pe");
  for (const char* text : {"1:1", "192.0.2.1:1", "4200000000:1"})
    EXPECT_TRUE(std::ranges::any_of(m, [&](const wire::RtMembership& one) { return one.matches(*wire::parse_rt(text)); })) << text;
}

TEST_F(ImportedTargets, WhatWasRejectedBeforeIsLeftOut) {
  EXPECT_THAT(of({"not blue", "blue"}), IsEmpty());
  EXPECT_THAT(of({"blue", "not blue"}), ElementsAre("65000:65000:1", "65000:65000:2"));
  EXPECT_THAT(of({"not blue from there", "blue"}), ElementsAre("65000:65000:1", "65000:65000:2"));
}

}  // namespace
}  // namespace helio::policy
