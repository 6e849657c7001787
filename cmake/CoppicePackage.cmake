# What `cmake --install` puts in place, and the Debian package that cpack makes of it.
#
#   cmake --install build/release --prefix /usr/local
#   cd build/release && cpack
#
# The program and its man page and completions are installed by src/cli; this adds the worker (it
# is found beside the program in a build folder, and in lib/coppice once installed), the documents,
# and what a .deb needs.
include(GNUInstallDirs)

if(TARGET coppice-media)
  install(TARGETS coppice-media RUNTIME DESTINATION lib/coppice)
endif()
install(DIRECTORY ${CMAKE_SOURCE_DIR}/sdk/python/src/ DESTINATION lib/coppice/python
        FILES_MATCHING PATTERN "*.py" PATTERN "py.typed" PATTERN "*.egg-info" EXCLUDE
        PATTERN "__pycache__" EXCLUDE)
foreach(document README.md ARCHITECTURE.md CHANGELOG.md LICENSE)
  if(EXISTS ${CMAKE_SOURCE_DIR}/${document})
    install(FILES ${CMAKE_SOURCE_DIR}/${document} DESTINATION share/doc/coppice)
  endif()
endforeach()
foreach(folder guide formats decisions)
  if(IS_DIRECTORY ${CMAKE_SOURCE_DIR}/docs/${folder})
    install(DIRECTORY ${CMAKE_SOURCE_DIR}/docs/${folder} DESTINATION share/doc/coppice)
  endif()
endforeach()
install(FILES ${CMAKE_SOURCE_DIR}/cmake/package/copyright DESTINATION share/doc/coppice)

# The packages that scripts/packages lists under [runtime]; PostgreSQL may also be a newer one.
function(coppice_runtime_packages result)
  file(STRINGS ${CMAKE_SOURCE_DIR}/scripts/packages lines)
  set(inside FALSE)
  set(packages)
  foreach(line IN LISTS lines)
    if(line MATCHES "^\\[(.*)\\]$")
      string(COMPARE EQUAL "${CMAKE_MATCH_1}" runtime inside)
    elseif(inside AND line MATCHES "^([a-z0-9][^ ]*)")
      set(package ${CMAKE_MATCH_1})
      if(package MATCHES "^(postgresql(-client)?)-[0-9]+$")
        string(APPEND package " | ${CMAKE_MATCH_1}")
      endif()
      list(APPEND packages "${package}")
    endif()
  endforeach()
  list(JOIN packages ", " packages)
  set(${result} "${packages}" PARENT_SCOPE)
endfunction()

coppice_runtime_packages(runtime)
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME coppice)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "The Coppice maintainers <maintainers@coppice.example>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGE_DESCRIPTION
    "Tables whose columns hold images, video, audio, documents and JSON, with computed columns that
keep themselves up to date and every change a version, on PostgreSQL. It is used through SQL.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION database)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser, ${runtime}")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_SOURCE_DIR}/cmake/package/postinst)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
