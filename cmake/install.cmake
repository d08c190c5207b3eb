# find_package(dspu CONFIG) gives dspu::core, and dspu::aio, dspu::testing and dspu::config where they were built.
# dspu::prometheus, where it was built, is asked for: COMPONENTS prometheus; only then is its library looked for.
include(CMakePackageConfigHelpers)

set(dspu_exported dspu_core)
if(DSPU_BUILD_AIO)
  list(APPEND dspu_exported dspu_aio dspu_testing)
endif()
if(DSPU_BUILD_CONFIG)
  list(APPEND dspu_exported dspu_config)
endif()
install(TARGETS ${dspu_exported} EXPORT dspuTargets FILE_SET HEADERS)
install(EXPORT dspuTargets NAMESPACE dspu:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/dspu)

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/dspuConfig.cmake.in
  ${PROJECT_BINARY_DIR}/dspuConfig.cmake INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/dspu)
if(DSPU_BUILD_AIO AND DSPU_BUILD_PROMETHEUS)
  install(TARGETS dspu_prometheus EXPORT dspuPrometheusTargets FILE_SET HEADERS)
  install(EXPORT dspuPrometheusTargets NAMESPACE dspu:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/dspu)
endif()
write_basic_package_version_file(${PROJECT_BINARY_DIR}/dspuConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/dspuConfig.cmake ${PROJECT_BINARY_DIR}/dspuConfigVersion.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/dspu)

if(TARGET dspu)
  install(TARGETS dspu RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
