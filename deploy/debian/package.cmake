# Debian packages by CPack, from the binaries of the build tree as they are: `cpack --config build/release/CPackConfig.cmake`,
# or deploy/debian/build.sh, which builds first. heliograph: heliod, helioctl, helio-pe. heliograph-lab: helio-lab.
set(HELIO_MAINTAINER "Heliograph maintainers <maintainers@heliograph.example>" CACHE STRING "Maintainer of the packages")
execute_process(COMMAND git log -1 --format=%aD WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} OUTPUT_VARIABLE package_date OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT package_date)
  string(TIMESTAMP package_date "%a, %d %b %Y %H:%M:%S +0000" UTC)
endif()
set(here ${CMAKE_CURRENT_LIST_DIR})
set(there ${CMAKE_BINARY_DIR}/deploy/debian)

# Changelog and copyright of both; Debian wants them compressed without a time.
find_program(GZIP_PROGRAM gzip REQUIRED)
foreach(package heliograph heliograph-lab)
  configure_file(${here}/changelog.in ${there}/${package}/changelog @ONLY)
  execute_process(COMMAND ${GZIP_PROGRAM} -9nf ${there}/${package}/changelog COMMAND_ERROR_IS_FATAL ANY)
endforeach()
install(FILES ${there}/heliograph/changelog.gz ${here}/copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/heliograph COMPONENT heliograph)
install(FILES ${there}/heliograph-lab/changelog.gz ${here}/copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/heliograph-lab COMPONENT lab)

# An upgrade of a library asks needrestart; it must not close every BGP session for that.
install(FILES ${here}/needrestart.conf DESTINATION /etc/needrestart/conf.d RENAME heliograph.conf COMPONENT heliograph)

# What runs when a package comes and goes.
foreach(script preinst postinst prerm postrm)
  configure_file(${here}/${script}.in ${there}/${script} @ONLY FILE_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
endforeach()
configure_file(${here}/conffiles ${there}/conffiles COPYONLY)
file(MAKE_DIRECTORY ${there}/lab)
configure_file(${here}/preinst.in ${there}/lab/preinst @ONLY FILE_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

set(CPACK_GENERATOR DEB)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_SET_DESTDIR ON)                 # /etc and the prefix of the configuration, which is /usr
set(CPACK_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_NAME heliograph)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")   # each has its own, the first line of its description
set(CPACK_PACKAGE_VENDOR Heliograph)
set(CPACK_PACKAGE_CONTACT "${HELIO_MAINTAINER}")
set(CPACK_COMPONENTS_ALL heliograph lab)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_HELIOGRAPH_PACKAGE_NAME heliograph)
set(CPACK_DEBIAN_HELIOGRAPH_PACKAGE_DEPENDS "adduser, procps")   # procps: kill, for ExecReload of the unit
set(CPACK_DEBIAN_HELIOGRAPH_PACKAGE_SUGGESTS "prometheus, heliograph-lab")
set(CPACK_DEBIAN_HELIOGRAPH_DESCRIPTION "BGP route reflector for MPLS L3VPN
Heliograph reflects VPNv4, VPNv6 and EVPN routes between provider-edge
routers and sends each of them exactly the routes whose route targets it
asked for (RT-Constrain, RFC 4684). It holds tens of millions of routes,
encodes a change once instead of once per router, and explains why a route
did or did not reach a router.

This package has the daemon heliod, its command line tool helioctl, and
helio-pe, which plays any number of PEs to test a route reflector.

It is built for processors with AVX2 (${HELIO_X86_LEVEL}).")
set(CPACK_DEBIAN_HELIOGRAPH_PACKAGE_CONTROL_EXTRA "${there}/preinst;${there}/postinst;${there}/prerm;${there}/postrm;${there}/conffiles")
set(CPACK_DEBIAN_LAB_PACKAGE_NAME heliograph-lab)
set(CPACK_DEBIAN_LAB_PACKAGE_SUGGESTS "heliograph (= ${PROJECT_VERSION}), iperf3, tcpdump")
set(CPACK_DEBIAN_LAB_DESCRIPTION "VPN laboratory of the Heliograph route reflector
helio-lab builds PEs with VRFs, P routers and customer sites around the
engine of the Heliograph route reflector, in one process or in network
namespaces, and proves with packets who can reach whom.

It is built for processors with AVX2 (${HELIO_X86_LEVEL}).")
set(CPACK_DEBIAN_LAB_PACKAGE_CONTROL_EXTRA "${there}/lab/preinst")
include(CPack)
