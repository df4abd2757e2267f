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

rootProject.name = "nibble-kotlin"
include(":nibble", ":nibble-android")
