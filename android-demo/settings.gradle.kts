// For Android Studio. The project's own checks build with Maven (pom.xml) and never run this.
pluginManagement {
    repositories {
        google()
        mavenCentral()
        gradlePluginPortal()
    }
}

dependencyResolutionManagement {
    repositories {
        google()
        mavenCentral()
    }
}

rootProject.name = "nibble-keyboard"
include(":app", ":nibble", ":nibble-android")
project(":nibble").projectDir = file("../bindings/kotlin/nibble")
project(":nibble-android").projectDir = file("../bindings/kotlin/nibble-android")
